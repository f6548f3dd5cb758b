"""ONNX models: the digest in their files, and the session that runs them."""
