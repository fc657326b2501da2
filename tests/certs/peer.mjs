// The second implementation: Digital Bazaar's libraries, offline. One JSON object in, one out.
//
// in:  {task, contexts: {url: context}, documents: {url: document}, credentials: [...], now, seconds, key}
// out: verify → {results: [{verified, status, error}]}; issue → {credentials, controller}; rate → {done, verified, wall, cpu}
import * as Bitstring from '@digitalbazaar/vc-bitstring-status-list';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import * as vc from '@digitalbazaar/vc';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {cryptosuite} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import {readFileSync} from 'node:fs';

const asked = JSON.parse(readFileSync(0, 'utf8'));

function loader(documents) {
  return async url => {
    const [base, fragment] = url.split('#');
    let document = asked.contexts[url] ?? documents[url];
    if(!document && fragment && documents[base]) {
      document = (documents[base].verificationMethod ?? []).find(method => method.id === url);
    }
    if(!document) {
      throw new Error(`not at hand, and nothing is fetched: ${url}`);
    }
    return {contextUrl: null, documentUrl: url, document};
  };
}

async function verify(credential, documentLoader, withStatus = true) {
  const suite = new DataIntegrityProof({cryptosuite});
  const checkStatus = async options => !withStatus ? {verified: true} : Bitstring.checkStatus(
    {...options, suite: new DataIntegrityProof({cryptosuite}), documentLoader});
  const answer = await vc.verifyCredential(
    {credential, suite, documentLoader, checkStatus, now: new Date(asked.now)});
  const error = answer.error?.errors?.[0] ?? answer.error ?? answer.statusResult?.error;
  // A revoked credential is still "verified: true": whether its bit is set is in the status results.
  const set = (answer.statusResult?.results ?? []).map(result => result.status);
  return {verified: answer.verified, status: set, error: error ? String(error.message ?? error) : ''};
}

async function issue() {
  const controller = asked.issuer;
  const pair = await Ed25519Multikey.generate({controller});
  pair.id = `${controller}#${pair.publicKeyMultibase}`;
  const method = await pair.export({publicKey: true});
  const suite = new DataIntegrityProof({signer: pair.signer(), cryptosuite, date: asked.now});
  const documentLoader = loader(asked.documents);
  const credentials = [];
  for(const credential of asked.credentials) {
    credentials.push(await vc.issue({credential, suite, documentLoader, now: new Date(asked.now)}));
  }
  return {credentials, controller: {id: controller, verificationMethod: [method], assertionMethod: [method.id]}};
}

// Signature, dates and form alone: the peer would verify the same status list anew for every certificate.
async function rate() {
  const documentLoader = loader(asked.documents);
  for(const credential of asked.credentials) {
    await verify(credential, documentLoader, false); // the compiler and the context caches are warm before the clock starts
  }
  let done = 0, verified = 0;
  const started = process.hrtime.bigint(), cpu = process.cpuUsage();
  while(Number(process.hrtime.bigint() - started) < asked.seconds * 1e9) {
    const answer = await verify(asked.credentials[done % asked.credentials.length], documentLoader, false);
    verified += answer.verified ? 1 : 0;
    done += 1;
  }
  const used = process.cpuUsage(cpu);
  const wall = Number(process.hrtime.bigint() - started) / 1e9;
  return {done, verified, wall, cpu: (used.user + used.system) / 1e6};
}

async function answer() {
  if(asked.task === 'issue') {
    return issue();
  }
  if(asked.task === 'rate') {
    return rate();
  }
  const documentLoader = loader(asked.documents);
  const results = [];
  for(const credential of asked.credentials) {
    results.push(await verify(credential, documentLoader));
  }
  return {results};
}

process.stdout.write(JSON.stringify(await answer()));
