# SPDX-License-Identifier: Apache-2.0
#
# Ctrl-C ends a compile with exit code 130, at whatever moment it comes, and leaves either nothing or a whole artefact.
# RUN: rm -rf %t && mkdir %t && %python %s %root/test/Fixtures/bert-sentence/model %t
import os
import signal
import subprocess
import sys
import time

model, scratch = sys.argv[1:]
output = os.path.join(scratch, "out.sluice")
stopped = 0
for delay in (0.1, 0.2, 0.3, 0.4, 0.8, 1.2, 1.6):
    process = subprocess.Popen(["sluicec", model, "--weights=random:3", "-o", output], stderr=subprocess.PIPE)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    process.communicate()
    # The first one comes before the handlers are there on a busy machine.
    assert process.returncode in (0, 130, -signal.SIGINT), f"exit code {process.returncode} after {delay} s"
    stopped += process.returncode == 130
    left = os.listdir(scratch)
    if process.returncode == 0:
        assert left == ["out.sluice"], left
        assert os.path.exists(os.path.join(output, "manifest.json"))
        break
    assert left == [], f"{left} left behind after {delay} s"
assert stopped > 0, "no compile was interrupted"
