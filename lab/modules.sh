# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Initramfs archives for the kernel in the cache: busybox, an init, and kernel modules, each with
# what it depends on, in the order to load them.

# start_initramfs DIR INIT: the tree of one, without modules. busybox's shell runs its applets
# without links to them.
start_initramfs() {
	mkdir -p "$1"/{bin,dev,proc,sys,tmp}
	cp "$(command -v busybox)" "$1/bin/busybox"
	ln -s busybox "$1/bin/sh"
	install -m 755 "$2" "$1/init"
}

# module_files TREE NAME…: paths below TREE (a lib/modules/VERSION), dependencies first, each
# once. Built-in modules yield nothing; a name that the kernel does not have fails.
module_files() {
	local tree=$1
	shift
	awk -v wanted="$*" '
		function key(path) {
			sub(/.*\//, "", path); sub(/\.ko.*/, "", path); gsub(/-/, "_", path)
			return path
		}
		FILENAME ~ /builtin$/ { builtin[key($1)] = 1; next }
		{
			path = $1; sub(/:$/, "", path); file[key(path)] = path
			$1 = ""; deps[path] = $0
		}
		function emit(path,    list, n, i) {
			if (path in done) return
			done[path] = 1
			n = split(deps[path], list, " ")
			for (i = n; i >= 1; i--) emit(list[i])
			print path
		}
		END {
			n = split(wanted, names, " ")
			for (i = 1; i <= n; i++) {
				k = key(names[i])
				if (k in file) emit(file[k])
				else if (!(k in builtin)) { print names[i] > "/dev/stderr"; bad = 1 }
			}
			exit bad
		}' "$tree/modules.builtin" "$tree/modules.dep"
}

# copy_modules TREE DIR NAME…: unpacked modules into DIR/modules, and DIR/modules/order, the
# list by which an init loads them with insmod.
copy_modules() {
	local tree=$1 dir=$2/modules path name files
	shift 2
	mkdir -p "$dir"
	files=$(module_files "$tree" "$@") || die "kernel: no such module among: $*"
	: >"$dir/order"
	for path in $files; do
		name=$(basename "${path%.xz}")
		case $path in
		*.xz) xz -dc "$tree/$path" >"$dir/$name" ;;
		*) cp "$tree/$path" "$dir/$name" ;;
		esac
		echo "$name" >>"$dir/order"
	done
}

# pack_initramfs DIR FILE: a cpio archive, not compressed, for emulated CPUs unpack slowly.
pack_initramfs() {
	(cd "$1" && find . -print0 | LC_ALL=C sort -z |
		cpio --quiet --null -o -H newc -R 0:0) >"$2"
}
