# SPDX-License-Identifier: Apache-2.0
"""lsp_session SERVER FILE: opens FILE in the language server, prints what it answers, and ends the session."""

import json
import subprocess
import sys

server, path = sys.argv[1:]
messages = [
    ("initialize", 0, {"processId": None, "rootUri": None, "capabilities": {}}),
    ("textDocument/didOpen", None, {"textDocument": {
        "uri": f"file://{path}", "languageId": "mlir", "version": 1, "text": open(path).read()}}),
    ("shutdown", 1, None),
    ("exit", None, None),
]
session = b""
for method, number, params in messages:
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params}
                      | ({} if number is None else {"id": number})).encode()
    session += b"Content-Length: %d\r\n\r\n" % len(body) + body
done = subprocess.run([server], input=session, capture_output=True, timeout=60)
print(done.stdout.decode())
sys.exit(done.returncode)
