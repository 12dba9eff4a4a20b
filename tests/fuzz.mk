# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzzers: one program per tests/fuzz/NAME_fuzz.c, on libFuzzer with ASan and UBSan. They are built by clang in a
# tree of their own (make FUZZ=1). Of NAME_fuzz, _LIBS, _EXTRA, _LDFLAGS and _OBJS are as in tests.mk.
# What they start from lies in tests/fuzz/corpus/NAME/, what they find in build/fuzz/findings/.

# fuzzer NAME, LIBS
define fuzzer
FUZZERS += $(1)
$(1)_fuzz_LIBS := $(2)
endef
FUZZERS :=

$(eval $(call fuzzer,state,base))
state_fuzz_EXTRA := -ljansson

# What a kernel file can be.
$(foreach t,multiboot bzimage elf vmlinux unpack,$(eval $(call fuzzer,$(t),hv-core base)))
unpack_fuzz_EXTRA := -lzstd -llzma -llz4 -lz
