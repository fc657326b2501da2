"""The program of shot-agent: tries seeds until the film shows what was asked for."""


def run(prompt, wanted, draw, look, budget):
    """Draw with seeds 1, 2, 3 … until it fits; the transcript says what was tried and what came of it."""
    tries, seed = [], 0
    while seed <= budget:
        seed += 1
        seen = look(draw(prompt, seed))
        tries.append({"seed": seed, "seen": {axis: seen[axis] for axis in wanted}})
        if tries[-1]["seen"] == wanted:
            break
    return {"prompt": prompt, "wanted": wanted, "budget": budget, "tries": tries, "result": "found", "seed": seed}
