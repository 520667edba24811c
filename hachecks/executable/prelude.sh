#!/bin/sh
# hacheck @VERSION@: health checks that Keepalived can trust.
#
# This file is a shell script, and after it a zip of pure Python: `unzip -l` lists what is in it, licences included. It
# starts the first Python that will do, by exec, without a fork; `sh /path/hacheck` needs no executable bit.

@RUN@

@NOTIFY@
[ "${1-}" != notify ] || notify "$@"

@RUN_WORDS@

path=${PATH-}:/usr/local/bin:/usr/bin:/bin:/usr/libexec
python=
tried=0
set -f
IFS=:
for name in python3 python3.13 python3.12 python3.11 python3.10 python3.9 python3.14 python3.15 platform-python; do
	for directory in $path; do
		case $directory in /*) [ -f "$directory/$name" ] && [ -x "$directory/$name" ] ;; *) false ;; esac || continue
		tried=$((tried + 1))
		[ "$tried" -gt "${HACHECK_TRIED:-0}" ] || continue
		python=$directory/$name
		break 2
	done
done
if [ -z "$python" ]; then
	echo 'UNKNOWN - hacheck needs Python 3.9 or newer; this image has none (looked for python3, python3.9 and newer, and platform-python)'
	exit 1
fi
# -EsS: nothing of the environment, of the user or of the site. What comes before the version is known is Python 2 as well.
exec "$python" -EsS -c '
import sys
if sys.path[0] == "":
    del sys.path[0]
if sys.version_info < (3, 9):
    import os
    os.environ["HACHECK_TRIED"] = sys.argv[1]
    os.execv("/bin/sh", ["sh"] + sys.argv[2:])
import posix
from _frozen_importlib_external import MAGIC_NUMBER
from marshal import loads
from zlib import decompress
at, size = {@COMPILED@}.get(int.from_bytes(MAGIC_NUMBER[:2], "little"), (@SOURCE@))
file = posix.open(sys.argv[2], posix.O_RDONLY | posix.O_CLOEXEC)
data = posix.pread(file, size, at)
if data[:16] != b"@IDENTITY@":
    import os
    if "HACHECK_AGAIN" in os.environ:
        print("UNKNOWN - hacheck: " + sys.argv[2] + " is damaged")
        sys.exit(1)
    os.environ["HACHECK_AGAIN"] = "the file was replaced after the shell had read it"
    os.execv("/bin/sh", ["sh"] + sys.argv[2:])
loader, known = loads(decompress(data[16:], -15))
exec(loader)
start(file, known)
' "$tried" "$0" "$@"
