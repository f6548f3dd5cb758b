"""Differences between two graphs, or two topologies, as messages in the structure's own terms.

A difference holds the passages that are new or changed, the concepts that the receiver lacks, and for each passage
whose concepts or relations changed those that it has now. The receiver reads no text: it needs neither the rules that
found the concepts nor an encoder. A message names the structure that it is for and the one that it gives, by hashes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TypeVar

from solvers.knowledge.store.message import columns, numbers, pack_fields, passages_of, strings, unpack_fields
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure.concepts import ByConcepts, Concepts, Content

S = TypeVar("S", bound=ByConcepts)
UPDATE = b"SAU"
"""The first letters of a difference; the last letter of the structure's own four follows."""


def difference(old: S, new: S) -> bytes:
    """Return the message that makes ``new`` of ``old``.

    Raises
    ------
    ValueError
        If one is a graph and the other a topology, or one is read by rules and the other by names.
    """
    if type(old) is not type(new) or type(old.reader) is not type(new.reader):
        raise ValueError(f"a {old.noun} is not updated to a {new.noun} of another kind: send the whole one")
    before, after = _by_key(old), _by_key(new)
    ranks = {key: rank for rank, key in enumerate(sorted(before))}
    fresh = [passage for passage in new.passages if passage.key not in before or before[passage.key][0] != passage]
    told = {passage.key for passage in fresh}
    changed = [key for key in sorted(before) if key in after and key not in told and before[key][1] != after[key][1]]
    contents = [after[key][1] for key in (*changed, *(passage.key for passage in fresh))]
    names = sorted(old.concepts)
    lacking = sorted({name for content in contents for name in content.concepts} - set(names))
    place = {name: index for index, name in enumerate([*names, *lacking])}
    verbs = sorted({verb for content in contents for _, verb, _ in content.relations})
    number = {verb: index for index, verb in enumerate(verbs)}
    was, now = old.reader.abbreviations, new.reader.abbreviations
    learned = Concepts({short: long for short, long in now.items() if was.get(short) != long})
    fields = {
        "of": digest(old),
        "gives": digest(new),
        "removed": [[ranks[key] for key in sorted(before) if key not in after]],
        "forgotten": sorted(was.keys() - now.keys()),
        **columns(fresh),
        "concepts": lacking,
        "names": verbs,
        "changed": [[ranks[key] for key in changed]],
        "mentions": [[place[name] for name in content.concepts] for content in contents],
        "edges": [
            [x for one, verb, other in content.relations for x in (place[one], number[verb], place[other])]
            for content in contents
        ],
        **learned.to_fields(),
    }
    return pack_fields(UPDATE + old.magic[-1:], fields)


def apply(old: S, update: bytes) -> S:
    """Return the structure that a difference makes of ``old``: kept passages in their order, then new ones.

    Raises
    ------
    ValueError
        If the message is foreign, cut, damaged, of another version, or for another structure.
    """
    fields = unpack_fields(UPDATE + old.magic[-1:], update)
    if fields.get("of") != digest(old):
        raise ValueError(f"this difference is for another {old.noun}; ask for the whole one")
    before, keys = _by_key(old), sorted(passage.key for passage in old.passages)
    fresh, verbs = passages_of(fields), strings(fields, "names")
    names = [*sorted(old.concepts), *strings(fields, "concepts")]
    removed, changed = (
        [keys[rank] for row in numbers(fields, name, len(keys)) for rank in row] for name in ("removed", "changed")
    )
    mentions, edges = numbers(fields, "mentions", len(names)), numbers(fields, "edges", max(len(names), len(verbs)))
    contents = dict(zip([*changed, *(p.key for p in fresh)], _contents(mentions, edges, names, verbs), strict=False))
    if not len(contents) == len(changed) + len(fresh) == len(mentions) == len(edges):
        raise ValueError("the message is damaged: its concepts have gaps")
    gone = {*removed, *(passage.key for passage in fresh)}
    passages = (*(passage for passage in old.passages if passage.key not in gone), *fresh)
    forgotten = set(strings(fields, "forgotten"))
    learned = {short: long for short, long in old.reader.abbreviations.items() if short not in forgotten}
    reader = replace(old.reader, abbreviations=learned | dict(Concepts.from_fields(fields).abbreviations))
    known = {key: content for key, (_, content) in before.items()} | contents
    new = type(old).of_contents(passages, reader, [known[passage.key] for passage in passages])
    if fields.get("gives") != digest(new):
        raise ValueError(f"the message is damaged: it gives another {old.noun} than the sender has")
    return new


def digest(held: ByConcepts) -> str:
    """Return a hash of a structure; the order of its passages and concepts does not change it."""
    rows = sorted(
        json.dumps([passage.key, passage.text, passage.category, passage.group, *content])
        for passage, content in _by_key(held).values()
    )
    parts = [held.magic.decode(), sorted(held.reader.abbreviations.items()), rows]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _by_key(held: ByConcepts) -> dict[str, tuple[Passage, Content]]:
    """Return each passage with its content, by key."""
    return {passage.key: (passage, content) for passage, content in zip(held.passages, held.contents, strict=True)}


def _contents(mentions: list[list[int]], edges: list[list[int]], names: list[str], verbs: list[str]) -> list[Content]:
    """Return the content of each passage of a message; raise ValueError if a number makes no sense."""
    contents = []
    for own, row in zip(mentions, edges, strict=False):
        triples = list(zip(row[::3], row[1::3], row[2::3], strict=False))
        if len(row) % 3 or any(max(s, o) >= len(names) or v >= len(verbs) for s, v, o in triples):
            raise ValueError("the message is damaged: its relations have gaps")
        relations = tuple((names[one], verbs[verb], names[other]) for one, verb, other in triples)
        contents.append(Content(tuple(names[place] for place in own), relations))
    return contents


def _name(held: ByConcepts) -> str:
    return held.noun
