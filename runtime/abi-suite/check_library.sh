#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The promises about the runtime's library: at most 300 KiB when stripped; libc, libm, pthread and dl only; exports of the
# public header only.
#   check_library.sh libsluice_rt.so runtime.h
set -eu
library=$1
header=$2
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$library"
size=$(stat -c %s "$stripped")
echo "stripped: $size bytes"
if [ "$size" -gt $((300 * 1024)) ]; then
  echo "expected at most $((300 * 1024)) bytes" >&2
  exit 1
fi
needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
echo "needed:" $needed
for name in $needed; do
  case $name in
    libc.so.*|libm.so.*|libpthread.so.*|libdl.so.*|ld-linux*.so.*) ;;
    *) echo "$name is not one of libc, libm, libpthread, libdl" >&2; exit 1 ;;
  esac
done
exported=$(nm -D --defined-only "$library" | awk '{print $3}' | sort)
[ -n "$exported" ] || { echo "nothing is exported" >&2; exit 1; }
for name in $exported; do
  grep -q "SLUICE_API.*[ *]$name(" "$header" || { echo "$name is exported but not in $header" >&2; exit 1; }
done
declared=$(sed -n 's/^SLUICE_API.*[ *]\(sluice_[a-z_]*\)(.*/\1/p' "$header" | sort)
if [ "$declared" != "$exported" ]; then
  echo "declared in $header but not exported, or the other way round:" >&2
  echo "$declared" > "$stripped.declared"
  echo "$exported" | diff "$stripped.declared" - >&2 || true
  rm -f "$stripped.declared"
  exit 1
fi
echo "exported: $(echo "$exported" | wc -l) functions, those of the header"
