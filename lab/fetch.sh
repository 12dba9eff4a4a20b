# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `lab fetch`: brings the emulator and the kernel into the cache.
#
# Debian packages are resolved and downloaded by apt-get with a state of its own (sources,
# lists and status file inside the cache), then unpacked with dpkg-deb -x. Nothing is installed
# and no package script runs, so this works the same on Debian 12 and 13, needs no root and
# leaves the machine alone. The emulator runs straight from the unpacked tree through that
# tree's own dynamic linker (see rig1.sh), so the host's libc does not matter.
#
# Layout of the cache, each piece published by one rename, so that readers never meet half of it:
#   apt/     private apt state
#   kernel/  version, bzImage, vmlinux, lib/modules/VERSION
#   kernel-6.1/  the same of an older Debian, for guests alone: few modules, no vmlinux
#   qemu/    root of the unpacked packages
#   bochs/   the same, for rig 2
#   netdevsim/  netdevsim.ko: the kernel's simulated SR-IOV NIC with a switch; portsim.ko
#   iommufd/  modules of iommufd and VFIO (iommufd.sh)
#   mdev/    the kernel's samples of mediated devices (mdev.sh)

# Raise a piece's number when what fetch makes of it changes: old caches are then rebuilt.
LAB_FORMAT_KERNEL=1
LAB_FORMAT_OLD_KERNEL=1
LAB_FORMAT_QEMU=1
LAB_FORMAT_BOCHS=1
LAB_FORMAT_NETDEVSIM=1

LAB_RELEASE=trixie
LAB_KERNEL_SERIES=6.12
LAB_OLD_RELEASE=bookworm
LAB_OLD_SERIES=6.1
LAB_QEMU_AT_LEAST=10.1

# The archive that this machine already uses. apt itself reads its configuration for us, one-line
# and deb822 alike; a suite of the base release, component main, is what we look for.
debian_mirror() {
	local codename
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# All of it is read, not only up to the first match: apt-get minds a reader that leaves.
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v codename="$codename" '
			$2 == "main" && ($1 == codename || $1 ~ /^(old)?stable$/) && !uri { uri = $3 }
			END { print uri }'
}

# apt_lab COMMAND…: an apt tool that knows only the cache.
apt_lab() {
	local tool=$1 apt=$LAB_CACHE/apt
	shift
	"$tool" -q \
		-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" \
		-o Dir::Cache="$apt" -o Dir::Cache::archives="$apt/archives" \
		-o APT::Architecture=amd64 -o APT::Architectures::=amd64 \
		-o APT::Sandbox::User= -o Debug::NoLocking=1 -o Dpkg::Use-Pty=0 "$@"
}

# apt_prepare SUITE…: writes the private sources and refreshes the lists, unless the last call asked for
# the same.
apt_prepare() {
	local apt=$LAB_CACHE/apt mirror
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg

	[ "${LAB_APT_READY:-}" != "$*" ] || return 0
	[ -r "$keyring" ] || die "$keyring: missing; run: make deps"
	mirror=$(debian_mirror)
	[ -n "$mirror" ] || die "apt: no Debian archive among this machine's sources; add one and retry"
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	: >"$apt/status"
	printf "deb [arch=amd64 signed-by=$keyring] $mirror %s main\n" "$@" >"$apt/sources.list"
	say "fetch: reading the package lists of $1"
	apt_quiet apt-get update
	LAB_APT_READY=$*
}

# Runs an apt command; its chatter is shown only if it fails.
apt_quiet() {
	local log=$LAB_CACHE/apt/last.log
	if ! apt_lab "$@" >"$log" 2>&1 || grep -q '^E:' "$log"; then
		cat "$log" >&2
		die "fetch: $1 $2 failed (above); check the network and this machine's apt sources"
	fi
}

# unpack_closure DIR [APT OPTION…] PACKAGE…: packages with all they depend on, into DIR.
unpack_closure() {
	local dir=$1 deb
	shift
	rm -rf "$LAB_CACHE/apt/archives"
	mkdir -p "$LAB_CACHE/apt/archives/partial"
	apt_quiet apt-get -y --no-install-recommends --download-only install "$@"
	for deb in "$LAB_CACHE"/apt/archives/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -rf "$LAB_CACHE/apt/archives"
	rm -rf "$dir"/usr/share/{doc,fonts,icons,info,locale,man}
}

# True when the cache holds this piece in the wanted format.
piece_ready() {
	[ "$(cat "$LAB_CACHE/$1/format" 2>/dev/null)" = "$2" ]
}

# publish PIECE FORMAT TREE: the finished tree takes its place. An older one is moved aside
# first; a lab that still runs from it keeps its open files.
publish() {
	local piece=$1 format=$2 tree=$3
	echo "$format" >"$tree/format"
	rm -rf "$LAB_CACHE/$piece.old"
	[ ! -e "$LAB_CACHE/$piece" ] || mv "$LAB_CACHE/$piece" "$LAB_CACHE/$piece.old"
	mv "$tree" "$LAB_CACHE/$piece"
	rm -rf "$LAB_CACHE/$piece.old"
}

apt_prepare_release() {
	apt_prepare "$LAB_RELEASE" "$LAB_RELEASE-backports"
}

fetch_qemu() {
	local new=$LAB_CACHE/qemu.new version

	piece_ready qemu $LAB_FORMAT_QEMU && return
	apt_prepare_release
	say "fetch: QEMU from $LAB_RELEASE-backports (40 MB)"
	rm -rf "$new"
	mkdir -p "$new"
	unpack_closure "$new" -t "$LAB_RELEASE-backports" qemu-system-x86 ipxe-qemu seabios
	version=$(run_from_tree "$new" qemu-system-x86_64 --version | awk 'NR == 1 { print $4 }')
	dpkg --compare-versions "$version" ge "$LAB_QEMU_AT_LEAST" ||
		die "fetch: QEMU $version is too old: VFs of its igb get no traffic; need $LAB_QEMU_AT_LEAST"
	publish qemu $LAB_FORMAT_QEMU "$new"
	say "fetch: QEMU $version ready"
}

# Bochs, and what makes a CD that it can boot. GRUB's image is made here, once: it reads
# grub.cfg from the CD it lies on.
fetch_bochs() {
	local new=$LAB_CACHE/bochs.new

	piece_ready bochs $LAB_FORMAT_BOCHS && return
	apt_prepare_release
	say "fetch: Bochs from $LAB_RELEASE (60 MB)"
	rm -rf "$new"
	mkdir -p "$new"
	unpack_closure "$new" bochs bochs-term bochsbios vgabios grub-common grub-pc-bin xorriso
	echo 'set root=(cd)' >"$new/grub.cfg"
	echo 'configfile (cd)/grub.cfg' >>"$new/grub.cfg"
	run_from_tree "$new" grub-mkimage -d "$new/usr/lib/grub/i386-pc" -O i386-pc-eltorito -p / \
		-c "$new/grub.cfg" -o "$new/core.img" biosdisk configfile iso9660 linux normal ||
		die "fetch: GRUB image not made"
	publish bochs $LAB_FORMAT_BOCHS "$new"
	say "fetch: Bochs ready"
}

# Modules come compressed, and unpacking them inside the emulated host is slow. Those that the
# lab's host and guests are likely to load are unpacked here, once.
unpack_modules() {
	local kernel=$1/kernel dir
	local dirs=(arch virt lib crypto fs/9p fs/netfs fs/overlayfs net/9p net/core net/sched
		drivers/acpi drivers/block drivers/bus drivers/crypto/ccp
		drivers/dca drivers/gpu/drm/tiny drivers/i2c
		drivers/input drivers/iommu drivers/misc drivers/net/ethernet/intel drivers/nvme
		drivers/pps drivers/ptp drivers/vdpa drivers/vfio drivers/vhost drivers/virtio)
	for dir in "${dirs[@]}"; do
		find "$kernel/$dir" -name '*.ko.xz' -print0 2>/dev/null | xargs -0r xz -d
	done
	find "$kernel/drivers/net" -maxdepth 1 -name '*.ko.xz' -print0 | xargs -0r xz -d
}

# kernel_package SERIES RELEASE: the metapackage names the real one; only the series that the lab was
# tried with counts.
kernel_package() {
	local name
	name=$(apt_lab apt-cache show linux-image-amd64 | awk -v series="$1." '
		match($0, "linux-image-" series "[^ ]*-amd64") && !name {
			name = substr($0, RSTART, RLENGTH)
		}
		END { print name }')
	[ -n "$name" ] || die "fetch: no Linux $1 in $2"
	echo "$name"
}

# unpack_kernel TREE PACKAGE: bzImage, version and lib/modules in an empty TREE.
unpack_kernel() {
	local new=$1 package=$2 version=${2#linux-image-}
	rm -rf "$new"
	mkdir -p "$new/deb" "$new/lib/modules" "$new/usr"
	(cd "$new/deb" && apt_quiet apt-get download "$package")
	dpkg-deb -x "$new"/deb/*.deb "$new/deb"
	mv "$new/deb/boot/vmlinuz-$version" "$new/bzImage"
	mv "$new"/deb/{usr/,}lib/modules/"$version" "$new/lib/modules/" 2>/dev/null ||
		[ -d "$new/lib/modules/$version" ]
	rm -rf "$new/deb"
	ln -s ../lib "$new/usr/lib"
	echo "$version" >"$new/version"
}

# A kernel that guests may run beside the lab's own. Only modules that a guest of ours could want are kept.
fetch_old_kernel() {
	local piece=kernel-$LAB_OLD_SERIES new package version dir
	piece_ready "$piece" $LAB_FORMAT_OLD_KERNEL && return
	apt_prepare $LAB_OLD_RELEASE
	package=$(kernel_package $LAB_OLD_SERIES $LAB_OLD_RELEASE)
	version=${package#linux-image-}
	new=$LAB_CACHE/$piece.new
	say "fetch: Linux $version (70 MB)"
	unpack_kernel "$new" "$package"
	dir=$new/lib/modules/$version/kernel
	find "$dir" -name '*.ko*' ! -path "$dir/drivers/virtio/*" ! -path "$dir/drivers/acpi/*" \
		! -path "$dir/drivers/net/ethernet/intel/igb*" ! -path "$dir/drivers/misc/pvpanic/*" \
		! -path "$dir/drivers/char/hw_random/*" ! -path "$dir/drivers/nvme/*" \
		! -name 'evdev.ko*' ! -name 'virtio_*.ko*' ! -name 'net_failover.ko*' ! -name 'failover.ko*' \
		! -name 'crc*.ko*' ! -name 't10-pi.ko*' -delete
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$new" "$version"
	publish "$piece" $LAB_FORMAT_OLD_KERNEL "$new"
	say "fetch: Linux $version ready"
}

fetch_kernel() {
	local new=$LAB_CACHE/kernel.new package version

	piece_ready kernel $LAB_FORMAT_KERNEL && return
	apt_prepare_release
	package=$(kernel_package $LAB_KERNEL_SERIES $LAB_RELEASE)
	version=${package#linux-image-}
	say "fetch: Linux $version (108 MB)"
	unpack_kernel "$new" "$package"
	say "fetch: indexing its modules"
	unpack_modules "$new/lib/modules/$version"
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$new" "$version"
	publish kernel $LAB_FORMAT_KERNEL "$new"
	say "fetch: Linux $version ready"
}

# The same kernel as an ELF file, for monitors that start it through its PVH entry. It is the
# payload of the bzImage, which its setup header locates (Linux boot protocol 2.08 and later).
extract_vmlinux() {
	local kernel=$LAB_CACHE/kernel setup offset length
	[ ! -e "$kernel/vmlinux" ] || return 0
	setup=$(od -An -tu1 -j 0x1f1 -N 1 "$kernel/bzImage")
	read -r offset length < <(od -An -tu4 -j 0x248 -N 8 "$kernel/bzImage")
	# The last 4 bytes of the payload are its unpacked size, not part of the stream.
	dd if="$kernel/bzImage" of="$kernel/payload" bs=1M status=none \
		iflag=skip_bytes,count_bytes skip=$(((setup + 1) * 512 + offset)) count=$((length - 4))
	zstd -qdc "$kernel/payload" >"$kernel/vmlinux.new" 2>/dev/null ||
		xz -dc "$kernel/payload" >"$kernel/vmlinux.new" ||
		die "fetch: $kernel/bzImage: its payload is neither zstd nor xz"
	rm "$kernel/payload"
	mv "$kernel/vmlinux.new" "$kernel/vmlinux"
}

# The tools of linux-kbuild are programs of the kernel's release; here they run with its libraries,
# which QEMU's tree has. modpost and objtool are wrappers themselves, which choose by architecture.
wrap_kbuild() { # DIR
	local tool real lib=$LAB_CACHE/qemu/usr
	for tool in scripts/basic/fixdep scripts/mod/modpost tools/objtool/objtool; do
		real=$1/$tool.real
		case $tool in
		*/modpost) real+=-lsb-64 ;;
		*/objtool) real+=-x86 ;;
		*) mv "$1/$tool" "$real" ;;
		esac
		cat >"$1/$tool.new" <<END
#!/bin/sh
exec $lib/lib64/ld-linux-x86-64.so.2 --library-path $lib/lib/x86_64-linux-gnu $real "\$@"
END
		chmod 755 "$1/$tool.new"
		mv -f "$1/$tool.new" "$1/$tool"
	done
}

# unpack_kernel_source DIR VERSION: of the packages in DIR, the parts of the kernel's source that modules are built
# of here, and what builds modules for it.
unpack_kernel_source() {
	local dir=$1 headers=$1/usr/src/linux-headers-$2 common=${2%-amd64} deb
	dpkg-deb --fsys-tarfile "$dir/linux-source-"*.deb |
		tar x --to-stdout --wildcards "*/linux-source-$LAB_KERNEL_SERIES.tar.xz" |
		tar xJ -C "$dir" --wildcards '*/drivers/net/netdevsim/*' '*/drivers/iommu/*' \
			'*/drivers/vfio/*' '*/lib/interval_tree.c' '*/samples/vfio-mdev/*' || return
	rm "$dir/linux-source-"*.deb
	for deb in "$dir"/*.deb; do
		dpkg-deb -x "$deb" "$dir" || return
	done
	wrap_kbuild "$dir/usr/lib/linux-kbuild-$common"
	sed -i "s|/usr/src/|$dir/usr/src/|" "$headers/Makefile"
}

# This machine's compiler may be older than the kernel's: it lacks one option.
build_modules() { # DIR VERSION MODULE-DIR [VARIABLE…]
	local headers=$1/usr/src/linux-headers-$2 module=$3
	shift 3
	make -j2 -C "$headers" M="$module" CC=gcc "$@" \
		CONFIG_DEBUG_INFO_BTF_MODULES= CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT= modules
}

# Debian's kernel comes without netdevsim, so it is built from that kernel's own source; beside it
# portsim, which has what netdevsim lacks.
build_netdevsim() { # DIR VERSION OUT: of the source in DIR
	local dir=$1 module
	mkdir "$dir/portsim"
	cp "$LAB_DIR"/portsim/* "$dir/portsim/"
	for module in "$dir/portsim" "$dir/linux-source-$LAB_KERNEL_SERIES/drivers/net/netdevsim"; do
		build_modules "$1" "$2" "$module" CONFIG_NETDEVSIM=m && mv "$module"/*.ko "$3/" || return
	done
}

netdevsim_format() {
	echo "$LAB_FORMAT_NETDEVSIM $(cat "$LAB_CACHE/kernel/version") $(cat "$LAB_DIR"/portsim/* | cksum)"
}

netdevsim_ready() {
	piece_ready netdevsim "$(netdevsim_format)"
}

# make_modules PIECE FORMAT SOURCE VERSION: modules that build_PIECE makes of the kernel's source. The labs that do
# without them must not fail for them: where they cannot be built, that is said, and the scenario that needs them is
# skipped.
make_modules() {
	local piece=$1 format=$2 new=$LAB_CACHE/$1.new
	rm -rf "$new"
	mkdir -p "$new"
	if [ -e "$3/unpacked" ] && "build_$piece" "$3" "$4" "$new" >>"$3/log" 2>&1; then
		say "fetch: $piece ready"
	else
		rm -f "$new"/*
		cp "$3/log" "$new/log"
		say "fetch: $piece was not built; $LAB_CACHE/$piece/log tells why"
	fi
	publish "$piece" "$format" "$new"
}

# What is built of the kernel's own source: one download for all of it.
fetch_modules() {
	local source=$LAB_CACHE/source.new version

	netdevsim_ready && iommufd_ready && mdev_ready && return
	version=$(kernel_version)
	apt_prepare_release
	say "fetch: netdevsim, iommufd and mdev, from the kernel's source (170 MB)"
	rm -rf "$source"
	mkdir -p "$source"
	(cd "$source" && apt_quiet apt-get download "linux-source-$LAB_KERNEL_SERIES" \
		"linux-headers-$version" "linux-headers-${version%-amd64}-common" \
		"linux-kbuild-${version%-amd64}") || exit
	! unpack_kernel_source "$source" "$version" >"$source/log" 2>&1 || touch "$source/unpacked"
	netdevsim_ready || make_modules netdevsim "$(netdevsim_format)" "$source" "$version"
	iommufd_ready || make_modules iommufd "$(iommufd_format)" "$source" "$version"
	mdev_ready || make_modules mdev "$(mdev_format)" "$source" "$version"
	rm -rf "$source"
}

# rig_ready RIG: nothing is left to fetch for it. Takes no lock, so that labs start freely.
rig_ready() {
	piece_ready kernel $LAB_FORMAT_KERNEL && [ -e "$LAB_CACHE/kernel/vmlinux" ] || return
	case $1 in
	1)
		piece_ready qemu $LAB_FORMAT_QEMU &&
			piece_ready "kernel-$LAB_OLD_SERIES" $LAB_FORMAT_OLD_KERNEL && netdevsim_ready &&
			iommufd_ready && mdev_ready
		;;
	2) piece_ready bochs $LAB_FORMAT_BOCHS ;;
	esac
}

# fetch_rig RIG…: whatever these rigs need. The lock makes a second fetch wait for the first.
fetch_rig() {
	local rig lock missing=()
	check_tools
	for rig in "$@"; do
		rig_ready "$rig" || missing+=("$rig")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	mkdir -p "$LAB_CACHE"
	exec {lock}>"$LAB_CACHE/.lock"
	flock -n "$lock" || {
		say "fetch: waiting for another fetch into $LAB_CACHE"
		flock "$lock"
	}
	for rig in "${missing[@]}"; do
		fetch_kernel
		extract_vmlinux
		case $rig in
		1) fetch_qemu && fetch_old_kernel && fetch_modules ;;
		2) fetch_bochs ;;
		esac
	done
	exec {lock}>&-
}

# run_from_tree ROOT COMMAND [ARG…]: a program of an unpacked tree, with that tree's libraries.
run_from_tree() {
	local root=$1 command=$2
	shift 2
	"$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" \
		"$root/usr/bin/$command" "$@"
}
