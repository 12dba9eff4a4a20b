#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Builds the Debian packages out of what git has, in build/packages, and lets lintian look at them.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/packages
rm -rf "$out"
mkdir -p "$out/sluice"
git ls-files -z | xargs -0 cp --parents -t "$out/sluice"
cp -r packaging/debian "$out/sluice/debian"
cd "$out/sluice"
dpkg-buildpackage --build=binary --unsigned-changes --no-pre-clean --jobs="${SLUICE_JOBS:-2}" \
	>"$out/build.log" 2>&1 || {
	tail -n 30 "$out/build.log" >&2
	echo "packages: not built; the whole log is $out/build.log" >&2
	exit 1
}
cd "$out"
if command -v lintian >/dev/null; then
	lintian --fail-on warning --tag-display-limit 0 --allow-root ./*.changes
	echo "packages: lintian has nothing to say"
else
	echo "packages: SKIPPED lintian: it is not here"
fi
ls -l "$out"/*.deb
