"""The cells of ``secagent study knowledge-use``: networks of :mod:`solvers.knowledge.facts.world`, drawn from a seed.

The exact reader is a stand-in that understands every sentence of the made-up network; the retrieval reader is a weak
but real model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from eval.sweep.answers import with_answers
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, numbers, returns, text
from secagent_env.questions import Question
from solvers.collaboration.student import Student
from solvers.collaboration.teacher import Teacher
from solvers.knowledge.facts.reader import ExactReader
from solvers.knowledge.facts.world import Asked, Fact, FactWorld, build, change, passage_of, say, union
from solvers.knowledge.language.extraction import Extractor
from solvers.knowledge.quarantine import Quarantine
from solvers.knowledge.representation import Representation, representation
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder, default_encoder
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure.concepts import Content, KnownNames, canonical
from solvers.knowledge.structure.graph import KnowledgeGraph
from solvers.knowledge.structure.hops import search_hops
from solvers.knowledge.structure.topology import KnowledgeTopology
from solvers.llm import ChatOptions
from solvers.reasoning.reader import RetrievalReader

FUNCTION = "eval.studies.knowledge_use.cells"
READ = 10
"""Passages that a reader is given."""
BEAM = 5
"""Passages with each of which vectors ask a second time."""
NOTHING, BOTH = "no passages (control)", "both facts given (control)"
MIDDLE, PERFECT = "vectors, told the middle (control)", "graph of perfect extraction, 2 hops (control)"
EXTRACTED = "graph that the model reads, 2 hops"

POLICIES = ("never", "everything again", "differences", "feedback only")
"""What a teacher sends after the first message."""
STEPS = 8
"""Steps of time, in each of which facts change."""
CHANGED = 0.05
"""The share of facts that change in a step."""

ALARMS = 0.05
"""The rate of false alarms of the quarantine."""


def perfect_contents(world: FactWorld) -> list[Content]:
    """Return the two ends of the fact of each passage, as the generator knows them."""
    ends = [(canonical(fact.subject), canonical(fact.value)) for fact in world.sentences]
    return [Content((one, other), ((one, "is a", other),)) for one, other in ends]


def ways(
    world: FactWorld, encoder: Encoder, extracted: Mapping[str, Sequence[Content]] = MappingProxyType({})
) -> dict[str, np.ndarray]:
    """Return the passages (questions, READ) that each way of searching finds for the world's questions; −1 for none.

    ``extracted`` are contents of the passages that were found otherwise, by what found them.
    """
    texts = [asked.question.text for asked in world.asked]
    passages, needed = world.passages, [world.needed(asked) for asked in world.asked]
    place = {passage.key: index for index, passage in enumerate(passages)}
    base = KnowledgeBase.build(passages, encoder)
    queries = encoder.encode(texts)
    graph, topology = KnowledgeGraph.build(passages), KnowledgeTopology.build(passages)
    told = encoder.encode([f"{text} {facts[0].value}" for text, facts in zip(texts, needed, strict=True)])
    given = np.full((len(texts), READ), -1)
    given[:, :2] = [[place[fact.key] for fact in facts] for facts in needed]
    found = {
        NOTHING: np.full((len(texts), READ), -1),
        "vectors": base.search(queries, READ)[0],
        "vectors, asked twice": asked_twice(base, texts, encoder),
        MIDDLE: base.search(told, READ)[0],
        "graph, walk between concepts": graph.search_texts(texts, READ)[0],
        **{f"graph, {hops} hop{'s' * (hops > 1)}": search_hops(graph, texts, READ, hops)[0] for hops in (1, 2, 3)},
        "graph, 2 hops, scored by the encoder": search_hops(graph, texts, READ, 2, queries @ base.vectors.T)[0],
        "topology, faces": topology.search_texts(texts, READ)[0],
        "topology, 2 hops": search_hops(topology, texts, READ, 2)[0],
        **{
            way: search_hops(KnowledgeGraph.of_contents(passages, KnownNames(), contents), texts, READ, 2)[0]
            for way, contents in {**extracted, PERFECT: perfect_contents(world)}.items()
        },
        BOTH: given,
    }
    return found


def asked_twice(base: KnowledgeBase, texts: Sequence[str], encoder: Encoder) -> np.ndarray:
    """Return the passages (Q, READ) of the best pairs: one near the question, one near the question and the first."""
    first, score = base.search(encoder.encode(texts), BEAM)
    again = [f"{text} {base.passages[p].text}" for text, row in zip(texts, first, strict=True) for p in row]
    second, further = (part.reshape(len(texts), BEAM, -1) for part in base.search(encoder.encode(again), READ))
    sums = score[:, :, None] + np.where(second == first[:, :, None], -np.inf, further)
    found = np.full((len(texts), READ), -1)
    for row, places, pairs, total in zip(found, first, second, sums, strict=True):
        one, two = np.unravel_index(np.argsort(-total, axis=None, kind="stable"), total.shape)
        both = np.stack([places[one], pairs[one, two]], axis=1).ravel()
        row[:] = list(dict.fromkeys(both.tolist()))[:READ]
    return found


_FOUND = columns(way=text, passages=count, **dict.fromkeys(("first", "second", "both", "exact", "reader"), numbers))
_EXTRACTED = columns(model=text, **dict.fromkeys(("named", "names", "listed", "made_up", "unread"), count))


@returns(_FOUND)
def two_facts(cell: Cell) -> list[Row]:
    """Return a row for each way of searching: whether each question's facts were found, and it was answered right."""
    return _found(cell, build(cell.options["questions"], seed=cell.seed, joined=cell.options["joined"]))


@returns(_FOUND | _EXTRACTED)
def extracted_facts(cell: Cell) -> list[Row]:
    """Return the rows of :func:`two_facts`, and one of a graph that the language model of the cell reads.

    Each tells what the model lists: how many of the ``names`` of the passages' facts, how many names in all, how many
    it made up, and of how many passages no reply could be used.

    Raises EndpointError if the endpoint cannot be used.
    """
    world = build(cell.options["questions"], seed=cell.seed, joined=cell.options["joined"])
    with Extractor(ChatOptions(**with_answers(cell, cell.options["model"])), cell.seed) as extractor:
        contents = extractor.read([passage.text for passage in world.passages])
    true = [set(own.concepts) for own in perfect_contents(world)]
    told = {
        "model": extractor.name,
        "named": sum(len(own & set(found.concepts)) for own, found in zip(true, contents, strict=True)),
        "names": sum(map(len, true)),
        "listed": sum(len(found.concepts) for found in contents),
        "made_up": extractor.made_up,
        "unread": sum(extractor.faults.values()),
    }
    return [{**row, **told} for row in _found(cell, world, {EXTRACTED: contents})]


def _found(
    cell: Cell, world: FactWorld, extracted: Mapping[str, Sequence[Content]] = MappingProxyType({})
) -> list[Row]:
    encoder = default_encoder()
    exact, weak = ExactReader(union([world])), RetrievalReader(encoder)
    questions = [asked.question for asked in world.asked]
    rows: list[Row] = []
    for way, found in ways(world, encoder, extracted).items():
        keys = [{world.passages[p].key for p in row if p >= 0} for row in found]
        texts = [[world.passages[p].text for p in row if p >= 0] for row in found]
        facts = np.array([[f.key in own for f in world.needed(a)] for a, own in zip(world.asked, keys, strict=True)])
        rng = np.random.default_rng([cell.seed, 1])
        hits = [
            exact.answer(question, own, rng).option == question.answer
            for question, own in zip(questions, texts, strict=True)
        ]
        answers = weak.answer_all(questions, texts)
        read = [answer.option == question.answer for answer, question in zip(answers, questions, strict=True)]
        rows.append(
            {
                **{"way": way, "passages": len(world.passages)},
                **{"first": facts[:, 0].tolist(), "second": facts[:, 1].tolist(), "both": facts.all(axis=1).tolist()},
                **{"exact": hits, "reader": read},
            }
        )
    return rows


@returns(columns(policy=text, **dict.fromkeys(("one", "two", "bits"), numbers)))
def drift(cell: Cell) -> list[Row]:
    """Return a row for each policy: the share of right answers at each step, and the bits sent until then.

    A student, with a representation of the cell, answers the same questions at each step, one fact or two. Half of
    the incidents that it is asked about come up during the game.
    """
    options = cell.options
    encoder = default_encoder()
    how = representation(cell.scheme.split(",")[0], encoder, options["precision"])
    worlds = drifting(options["questions"], cell.seed)
    return [{"policy": policy, **_game(worlds, how, encoder, policy, cell.seed)} for policy in POLICIES]


def drifting(questions: int, seed: int) -> list[FactWorld]:
    """Return the worlds of the steps, in which facts change and incidents come up."""
    rng = np.random.default_rng([seed, 2])
    worlds = [build(questions, seed=seed, direct=questions)]
    for _ in range(STEPS):
        worlds.append(change(worlds[-1], CHANGED, rng))
    late = {asked.subject for asked in worlds[0].asked if asked.chain.first == "struck"}
    arrival = dict(
        zip(sorted(late), rng.integers(1, STEPS + 1, len(late)) * (rng.random(len(late)) < 0.5), strict=True)
    )
    return [_until(world, step, arrival) for step, world in enumerate(worlds)]


def _until(world: FactWorld, step: int, arrival: dict[str, int]) -> FactWorld:
    """Return the world without what comes up after a step."""
    sentences = {fact: text for fact, text in world.sentences.items() if arrival.get(fact.subject, 0) <= step}
    asked = tuple(each for each in world.asked if arrival.get(each.subject, 0) <= step)
    return FactWorld(sentences, asked)


def _game(worlds: Sequence[FactWorld], how: Representation, encoder: Encoder, policy: str, seed: int) -> Row:
    reader = ExactReader(union(worlds))
    teacher = Teacher(worlds[0].passages, encoder, representation=how)
    student = Student(reader, encoder, representation=how, passages=READ, threshold=-1, unsure=0.5)
    message = teacher.teach()
    student.receive(message)
    sent, bits = 8 * len(message), []
    right: dict[int, list[float]] = {1: [], 2: []}
    for step, world in enumerate(worlds):
        if step:
            teacher.learn(world.passages)
            if policy == "everything again":
                message = teacher.teach()
                student.receive(message)
                sent += 8 * len(message)
            elif policy == "differences":
                message = teacher.update()
                student.update(message)
                sent += 8 * len(message)
            elif policy == "feedback only":
                feedback = student.feedback()
                message = teacher.refine(feedback)
                student.update(message)
                sent += 8 * (len(feedback) + len(message))
        rng = np.random.default_rng([seed, step])
        hits: dict[int, list[bool]] = {1: [], 2: []}
        for asked in world.asked:
            answer = student.answer(asked.question, rng)
            hits[1 + bool(asked.chain.first)].append(answer.option == asked.question.answer)
        for facts, own in hits.items():
            right[facts].append(float(np.mean(own)))
        bits.append(sent)
    return {"one": right[1], "two": right[2], "bits": bits}


@returns(
    columns(
        **dict.fromkeys(("honest", "lies", "found", "false_alarms"), count),
        **dict.fromkeys(("answers", "right"), numbers),
    )
)
def quarantine(cell: Cell) -> list[Row]:
    """Return a row of an agent with a graph in which passages lie, ``"with"`` quarantine or ``"without"`` it.

    The agent is asked at random, answers with all that it finds, and once more without one of the passages, drawn at
    random; the right answer is told. ``answers`` are those that each lie that was found took, and ``right`` the
    share of right answers in each tenth of the game.
    """
    rng = np.random.default_rng([cell.seed, 3])
    world = build(cell.options["questions"], seed=cell.seed)
    lies = lying(world, cell.options["lies"], rng)
    known = {passage.text: fact for fact, passage in lies.items()}
    reader, watch = ExactReader(union([world]) | known), Quarantine(ALARMS)
    held = (*lies.values(), *world.passages)
    secret = {passage.key for passage in lies.values()}
    found, right = _found_by(held, world.asked), []
    for number in range(cell.options["answers"]):
        place = int(rng.integers(len(world.asked)))
        question, passages = world.asked[place].question, found[place]
        with_all = _right(reader, question, passages, (cell.seed, 4, number))
        right.append(with_all)
        if not passages:
            continue
        out = passages[rng.integers(len(passages))]
        without = _right(reader, question, [each for each in passages if each != out], (cell.seed, 4, number))
        caught = len(watch.keys)
        watch.note(out.key, with_all, without)
        if len(watch.keys) > caught and cell.scheme == "with":
            found = _found_by([each for each in held if each.key not in watch.keys], world.asked)
    answers = [taken for key, taken in watch.keys.items() if key in secret]
    counts = {"honest": len(world.passages), "lies": len(lies), "found": len(answers)}
    parts = [float(np.mean(part)) for part in np.array_split(right, 10)]
    return [{**counts, "false_alarms": len(watch.keys) - len(answers), "answers": answers, "right": parts}]


def lying(world: FactWorld, lies: int, rng: np.random.Generator) -> dict[Fact, Passage]:
    """Return passages that state another value, among the options, of the second facts of some of the questions."""
    told: dict[Fact, Passage] = {}
    for place in rng.permutation(len(world.asked))[:lies].tolist():
        asked = world.asked[place]
        true = world.needed(asked)[-1]
        wrong = [option for option in asked.question.options if option != true.value]
        fact = true._replace(value=wrong[rng.integers(len(wrong))])
        told[fact] = replace(passage_of(fact, say(fact, rng)), key=f"lie: {fact.key}")
    return told


def _found_by(passages: Sequence[Passage], asked: Sequence[Asked]) -> list[list[Passage]]:
    """Return the passages that a walk of two hops finds for each question."""
    graph = KnowledgeGraph.build(passages)
    indices, _ = search_hops(graph, [each.question.text for each in asked], READ, 2)
    return [[graph.passages[place] for place in row if place >= 0] for row in indices]


def _right(reader: ExactReader, question: Question, passages: Sequence[Passage], seed: Sequence[int]) -> bool:
    answer = reader.answer(question, [passage.text for passage in passages], np.random.default_rng(seed))
    return answer.option == question.answer
