"""The program of shot-agent: tries seeds until the film shows what was asked for."""


def run(prompt, wanted, draw, look, budget):
    """Draw with seeds 1, 2, 3 … at most ``budget`` times; the transcript says what was tried and what came of it."""
    tries = []
    for seed in range(1, budget + 1):
        seen = look(draw(prompt, seed))
        tries.append({"seed": seed, "seen": {axis: seen[axis] for axis in wanted}})
        if tries[-1]["seen"] == wanted:
            return {"prompt": prompt, "wanted": wanted, "budget": budget, "tries": tries, "result": "found", "seed": seed}
    return {"prompt": prompt, "wanted": wanted, "budget": budget, "tries": tries, "result": "gave up", "seed": None}
