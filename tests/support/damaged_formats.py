"""The formats of files and messages that are damaged, each with what its valid containers can hold by mistake."""

import io
import json
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from damage import VALUES, Format, as_json, changed, damaged, resealed, rezipped
from hashing_encoder import HashingEncoder

import solvers
from eval.benchmark_set import frozen
from eval.benchmark_set.entries import Decided, Entry, load_entry
from eval.benchmark_set.leaderboard import Leaderboard
from eval.compare.decisions import load_decision, save_decision
from eval.experiments.groups import read_groups
from eval.sweep import cell_files
from eval.sweep.store import Store
from secagent_env import Decision, Instance, Scenario, sample_instance
from secagent_env.support.digests import digest
from secagent_env.support.reading import parse_json
from solvers.collaboration import levels
from solvers.knowledge.store import message, wire
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure.graph import KnowledgeGraph
from solvers.knowledge.structure.topology import KnowledgeTopology
from solvers.llm.chat import Message, Reply, Request
from solvers.llm.transcript import Transcript

Rewritten = Callable[[np.random.Generator], tuple[bytes, bool]]

PASSAGES = tuple(
    Passage(f"key {i}", f"Passage {i} tells that the carrier of cell {i % 4} has {i} MHz.", "Lexicon", f"group {i % 3}")
    for i in range(12)
)


def _content_of(write: Callable[[Path], object], name: str = "file") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


# --- Instances ------------------------------------------------------------------------------------------------


def _instance() -> Format:
    def load(path: Path) -> str:
        instance = Instance.load(path)
        return digest({"scenario": instance.scenario.to_dict(), **{name: getattr(instance, name) for name in arrays}})

    whole = _content_of(sample_instance("small", seed=1).save, "instance.npz")
    arrays, rewritten = _archived(whole)
    return Format("npz", whole, load, rewritten, digest=True)


def _entry() -> Format:
    networks = frozen.frozen("small").instances
    size, agents, antennas = len(networks), networks.scenario.num_agents, networks.scenario.num_antennas
    decision = Decision(
        selection=np.arange(size * agents).reshape(size, agents) % 2 == 0,
        beamformer=np.ones((size, antennas)) + 0j,
        power_w=np.full((size, agents), 0.1),
    )
    entry = Entry("mine", {"small": Decided(decision, np.ones(size, bool), np.zeros(size))}, about={"by": "me"})

    def load(path: Path) -> str:
        found = load_entry(path)
        Leaderboard([found]).markdown()
        own = {name: vars(part) | vars(part.decision) for name, part in found.decided.items()}
        arrays = {
            name: {key: a for key, a in parts.items() if isinstance(a, np.ndarray)} for name, parts in own.items()
        }
        return digest({"name": found.name, "seed": found.seed, "about": dict(found.about), **arrays})

    return Format("entry", entry.content(), load, _archived(entry.content())[1], digest=True)


def _archived(whole: bytes) -> tuple[dict[str, np.ndarray], Rewritten]:
    """Return the arrays of an ``.npz`` file with a header, and what writes others like it."""
    with np.load(io.BytesIO(whole)) as archive:
        arrays = dict(archive)
    header = json.loads(str(arrays.pop("header")))

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        others, other, fits = dict(arrays), dict(header), generator.random() < 0.5
        kind = int(generator.integers(6))
        name = str(generator.choice(list(arrays)))
        if kind == 0:
            other = changed(header, generator)
        elif kind == 1:
            others[name] = _array_like(arrays[name], generator)
        elif kind == 2:
            del others[name]
        elif kind == 3:
            return rezipped(whole, generator, lambda entries: _lie(entries, f"{name}.npy", generator)), False
        elif kind == 4:
            return rezipped(whole, generator, lambda entries: _damage_header(entries, generator)), False
        else:
            others[name] = ~arrays[name] if arrays[name].dtype == bool else arrays[name] * (1 + 1e-12)
        if fits and isinstance(other, dict):
            plain = {key: value for key, value in other.items() if key != "digest"}
            try:
                other = {**plain, "digest": digest({"header": parse_json(json.dumps(plain)), **others})}
            except (ValueError, TypeError):
                fits = False
        out = io.BytesIO()
        np.savez_compressed(out, header=np.array(json.dumps(other)), **others)
        return out.getvalue(), fits

    return arrays, rewritten


def _array_like(array: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    shape = array.shape
    wrong = array.copy()
    wrong[(0,) * array.ndim] = generator.choice([np.nan, np.inf, -1.0, 1e300, 5e-324])
    others: tuple[np.ndarray, ...] = (
        *(wrong, array.real.astype(np.float32), array.real.astype(int), array.astype(">c16"), array.astype("S")),
        *(array[None], np.stack([array, array]), array[:0], np.zeros(()), np.zeros((0, *shape), array.dtype)),
        *(np.asfortranarray(array), array.real.astype(np.longdouble), np.array(["x"] * 3), np.array([None, {}])),
        np.zeros(shape, [("a", "f8"), ("b", "f8")]),
    )
    return others[int(generator.integers(len(others)))]


def _lie(entries: dict[str, bytes], name: str, generator: np.random.Generator) -> None:
    """Let an array's header tell another shape or type than its bytes have."""
    shape = str(generator.choice(["(99999999, 99999999)", "(1000000000,)", "(-1, 6)", "(6", "()", "(6, 6, 6)"]))
    dtype = str(generator.choice(["<f8", "|O", "<c16", "<U99999999", ">f8", "V8", "nonsense", "<M8[s]"]))
    order = str(generator.choice(["False", "True", "[" * 900, "1" * 5000]))
    text = f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    version = int(generator.choice([1, 1, 1, 2, 3, 9]))
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    entries[name] = b"\x93NUMPY" + bytes([version, 0]) + size + text + entries[name][-int(generator.integers(900)) :]


def _damage_header(entries: dict[str, bytes], generator: np.random.Generator) -> None:
    name = str(generator.choice(list(entries)))
    entries[name] = damaged(entries[name], generator)


# --- Texts -----------------------------------------------------------------------------------------------------


def _decision() -> Format:
    solution = solvers.make("exact").solve(sample_instance("small", seed=1))
    whole = _content_of(lambda path: save_decision(path, solution, options={"a": 1}), "decision.json")
    document = json.loads(whole)

    def load(path: Path) -> str:
        decision = load_decision(path)
        return digest([decision.selection, decision.beamformer, decision.power_w])

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        other, fits = resealed(document, generator)
        return as_json(other), fits

    return Format("json", whole, load, rewritten, digest=True)


SCENARIO = """# a scenario
preset = "small"
knowledge_bits = 1e9
model_dim = [1024, 2560]
num_agents = 7
min_accuracy = 0.6
area_m = [0, 50]
model_sizes = [[1024, 3], [2560, 4]]
latency_limit_s = 20
"""

GROUPS = """[[group]]
agents = 3
model = "first"
base_url = "http://127.0.0.1:9/v1"
temperature = 0.5

[[group]]
agents = 2
planning = "tree"
width = 3
max_tokens = 1000
prices = {input = 0.5, output = 1.5}
"""


def _toml_value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)} = {_toml_value(item)}' for name, item in value.items())}}}"
    return (
        "2026-01-01T00:00:00Z" if value is None else json.dumps(value).replace("Infinity", "inf").replace("NaN", "nan")
    )


def _toml(name: str, text: str, load: Callable[[Path], Any]) -> Format:
    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        lines = text.splitlines()
        places = [i for i, line in enumerate(lines) if " = " in line]
        place = int(generator.choice(places))
        field, value = lines[place].split(" = ", 1)
        kind = int(generator.integers(6))
        other = VALUES[int(generator.integers(len(VALUES)))]
        if kind == 0:
            value = "[" * int(generator.choice([20, 150, 5000])) + value
        elif kind == 1:
            field = str(generator.choice(["nonsense", "'quoted name'", "a.b.c", '"\\u0000"', ".".join("a" * 3000)]))
        elif kind == 2:
            value = "[" * 120 + "]" * 120
        elif kind == 3:
            field, value = "api_key", '"sk-of-a-file"'
        else:
            value = _toml_value(other)
        lines[place] = f"{field} = {value}"
        return "\n".join(lines).encode("utf-8", "surrogatepass"), True

    return Format(name, text.encode(), load, rewritten, digest=False)


def _scenario() -> Format:
    return _toml("scenario.toml", SCENARIO, lambda path: Scenario.from_toml(path).to_dict())


def _groups() -> Format:
    return _toml("groups.toml", GROUPS, lambda path: [str(vars(group)) for group in read_groups(path)])


# --- Transcripts -----------------------------------------------------------------------------------------------


def _transcript() -> Format:
    def write(path: Path) -> None:
        with Transcript(path, writable=True) as transcript:
            for number in range(4):
                request = Request(
                    (Message("user", f"question {number}"),), "answer", {"type": "object"}, number, 0.5, 100
                )
                transcript.append("a model", request, Reply(text=f'{{"answer": {number}}}', prompt_tokens=10 + number))

    whole = _content_of(write)
    lines = whole.splitlines()

    def load(path: Path) -> dict[str, Any]:
        with Transcript(path) as transcript:
            return {**transcript.replies, **dict.fromkeys(transcript.models)}

    def fewer(outcome: dict[str, Any], original: dict[str, Any]) -> bool:
        """Whether nothing is there that was not: what is lost is asked again."""
        return outcome.items() <= original.items()

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        place = int(generator.integers(len(lines)))
        other, fits = resealed(json.loads(lines[place]), generator)
        return b"\n".join([*lines[:place], as_json(other), *lines[place + 1 :], b""]), fits

    return Format("jsonl", whole, load, rewritten, digest=True, same=fewer)


# --- Cells -----------------------------------------------------------------------------------------------------


def _cells() -> Format:
    rows = {
        **{
            "key": [f"{i:020x}" for i in range(5)],
            "part": [0] * 5,
            "experiment": ["compare"] * 5,
            "scheme": ["exact"] * 5,
        },
        **{"value": [1, 2, 3, 4, 5], "seed": [0] * 5, "index": list(range(5)), "function": ["f:g"] * 5},
        **{"options": ["{}"] * 5, "kind": ["k" * 20] * 5, "version": ["0.1.0"] * 5, "sources": ["s" * 20] * 5},
        **{"error": [None] * 4 + ["failed"], "cell_seconds": [0.5] * 5, "finished": [1.7e9 + i for i in range(5)]},
        **{"energy_j": [1.5, 2.5, 1e-300, 1e300, None], "status": ["optimal"] * 5, "feasible": [True] * 4 + [None]},
    }
    whole = cell_files.pack(pyarrow.table(rows)).to_pybytes()

    def load(path: Path) -> dict[str, Any]:
        store = Store(path.parent)
        found = store.table().to_pydict()
        for file, reason in store.left_out.items():
            raise ValueError(f"{file}: {reason}")
        return found

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        others: Any = changed({**rows, "rows": list(zip(*rows.values(), strict=True))}, generator)
        others.pop("rows", None)
        try:
            table = pyarrow.table(others)
        except (pyarrow.ArrowException, TypeError, ValueError, OverflowError):
            name = str(generator.choice(list(rows)))
            table = pyarrow.table({**rows, name: [[1]] * 5})
        if generator.random() < 2 / 3 and {str(kind) for kind in table.schema.types} <= set(cell_files.TYPES):
            return cell_files.pack(table).to_pybytes(), True
        metadata = dict(pyarrow.parquet.read_schema(pyarrow.BufferReader(whole)).metadata)
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), sink, write_page_checksum=True)
        return sink.getvalue().to_pybytes(), False

    return Format("parquet", whole, load, rewritten, digest=True)


# --- Policies --------------------------------------------------------------------------------------------------


def _policy() -> Format:
    import onnx

    import training
    from solvers.onnx_models.sealing import BLANK, sealed_policy
    from training.play.shipped import find

    whole = find("ppo").read_bytes()
    instance = sample_instance("small", seed=1)

    def load(path: Path) -> Any:
        agent = training.load_agent(path, repair=False)
        try:
            action = agent.solve_batch(instance)
        except ValueError as error:
            return str(error)
        return digest([action.beamformer, action.power_w, agent.scenario.to_dict(), agent.name])

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        model = onnx.load_model_from_string(whole)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        fits = generator.random() < 2 / 3
        kind = int(generator.integers(4))
        if kind == 0:
            name = str(generator.choice([key for key in metadata if key != "digest"]))
            metadata[name] = (
                str(VALUES[int(generator.integers(len(VALUES)))])[:5000].encode("utf-8", "replace").decode()
            )
        elif kind == 1:
            metadata["scenario"] = json.dumps(changed(json.loads(metadata["scenario"]), generator))
        elif kind == 2:
            weights = model.graph.initializer[int(generator.integers(len(model.graph.initializer)))]
            weights.raw_data = damaged(weights.raw_data or b"\0", generator)[: len(weights.raw_data)]
        else:
            node = model.graph.node[int(generator.integers(len(model.graph.node)))]
            if generator.random() < 0.5:
                node.op_type = str(generator.choice(["Relu", "Nonsense", "Reshape", "Concat"]))
            else:
                model.graph.node.remove(node)
        if fits:
            metadata["digest"] = BLANK
        onnx.helper.set_model_props(model, metadata)
        content = bytes(model.SerializeToString())
        return (sealed_policy(content) if fits else content), fits

    return Format("onnx", whole, load, rewritten, digest=True)


# --- Knowledge -------------------------------------------------------------------------------------------------


def _message(name: str, whole: bytes, load: Callable[[bytes], Any], rewritten: Rewritten) -> Format:
    return Format(name, whole, lambda path: load(path.read_bytes()), rewritten, digest=True, named=False)


def _base() -> Format:
    base = KnowledgeBase.build(PASSAGES, HashingEncoder(16), precision="int8")
    content = message.unpack_base(base.to_bytes())

    def load(data: bytes) -> str:
        return wire.digest(wire.from_bytes(data, HashingEncoder(16)))

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        fields = changed(content.fields, generator)
        vectors = generator.normal(size=(int(generator.integers(14)), int(generator.choice([0, 1, 16, 65536]))))
        precision = generator.choice([None, "int8", "float16", "binary"])
        try:
            if generator.random() < 0.5:
                return message.pack_base(int(generator.integers(3)), precision, fields, vectors), True
            return message.pack_base(content.kind, "int8", fields, base.vectors), True
        except ValueError:  # what cannot be written
            return base.to_bytes()[:-1], False

    return _message("base", base.to_bytes(), load, rewritten)


def _difference() -> Format:
    old = KnowledgeBase.build(PASSAGES[:9], HashingEncoder(16), precision="int8")
    new = KnowledgeBase.build(PASSAGES[3:], HashingEncoder(16), precision="int8")
    whole = wire.difference(old, new)
    content = message.unpack_base(whole)

    def load(data: bytes) -> str:
        return wire.digest(wire.apply(old, data, HashingEncoder(16)))

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        fields = changed(content.fields, generator)
        vectors = generator.normal(size=(int(generator.integers(6)), 16))
        return message.pack_base(content.kind, "int8", fields, vectors), True

    return _message("difference", whole, load, rewritten)


def _structure(kind: Any, name: str) -> Format:
    whole = kind.build(PASSAGES).to_bytes()
    magic = whole[:4]
    fields = message.unpack_fields(magic, whole)

    def load(data: bytes) -> bytes:
        return bytes(kind.from_bytes(data).to_bytes())

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        return message.pack_fields(magic, changed(fields, generator)), True

    return _message(name, whole, load, rewritten)


def _levels() -> Format:
    written: list[levels.AgentMessage] = [
        levels.Information(PASSAGES[:4]),
        levels.Opinion(2, 0.5, "the carrier"),
        levels.Intent((1, 5, 9)),
        levels.Intent(vector=(1, -127, 5)),
        levels.Pointers((3, 1, 4)),
    ]
    whole = levels.encode(written[0])

    def rewritten(generator: np.random.Generator) -> tuple[bytes, bool]:
        message = written[int(generator.integers(len(written)))]
        body = damaged(bytes(levels._body(message)), generator)
        kind = levels._VERSION | int(generator.integers(6))
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return bytes([kind | levels._DEFLATED]) + packer.compress(body) + packer.flush(), True

    def load(path: Path) -> bytes:
        return levels.encode(levels.decode(path.read_bytes()))

    return Format("message", whole, load, rewritten, digest=False, named=False)


FORMATS: dict[str, Callable[[], Format]] = {
    "instance": _instance,
    "entry": _entry,
    "decision": _decision,
    "scenario": _scenario,
    "groups": _groups,
    "transcript": _transcript,
    "cell": _cells,
    "policy": _policy,
    "knowledge base": _base,
    "difference of bases": _difference,
    "knowledge graph": lambda: _structure(KnowledgeGraph, "graph"),
    "message between agents": _levels,
    "knowledge topology": lambda: _structure(KnowledgeTopology, "topology"),
}


@cache
def form(name: str) -> Format:
    """Return a format by its name."""
    return FORMATS[name]()
