# SPDX-License-Identifier: BSD-3-Clause
#
# Unit tests: one line per program, tests/<name>.c. NAME_LIBS names the folders it links (in link
# order), NAME_EXTRA libraries, NAME_LDFLAGS e.g. -Wl,--wrap=ioctl, NAME_OBJS single objects.
UNIT_TESTS :=

UNIT_TESTS += base/parse_test
parse_test_LIBS := base

UNIT_TESTS += base/bdf_test
bdf_test_LIBS := base

UNIT_TESTS += base/range_test
range_test_LIBS := base

UNIT_TESTS += base/loop_test
loop_test_LIBS := base

UNIT_TESTS += base/bitmap_test
bitmap_test_LIBS := base

UNIT_TESTS += base/io_test
io_test_LIBS := base

UNIT_TESTS += base/sysfs_test
sysfs_test_LIBS := base

UNIT_TESTS += kvm/tiny_test
tiny_test_LIBS := hv-core base

UNIT_TESTS += hv-core/elf_test
elf_test_LIBS := hv-core base

UNIT_TESTS += hv-core/bzimage_test
bzimage_test_LIBS := hv-core base

UNIT_TESTS += hv-core/vmlinux_test
vmlinux_test_LIBS := hv-core base

UNIT_TESTS += hv-core/kcache_test
kcache_test_LIBS := hv-core base

UNIT_TESTS += hv-core/unpack_test
unpack_test_LIBS := hv-core base
unpack_test_EXTRA := -lzstd -llzma -llz4 -lz

UNIT_TESTS += hv-core/cpuid_test
cpuid_test_LIBS := hv-core base

UNIT_TESTS += hv-core/acpi_test
acpi_test_LIBS := hv-core base

UNIT_TESTS += hv-core/boot_test
boot_test_LIBS := hv-core base
boot_test_EXTRA := -lz
