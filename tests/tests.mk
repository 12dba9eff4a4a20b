# SPDX-License-Identifier: BSD-3-Clause
#
# Unit tests: one line per program, tests/<name>.c. NAME_LIBS names the folders it links (in link
# order), NAME_EXTRA libraries, NAME_LDFLAGS e.g. -Wl,--wrap=ioctl, NAME_OBJS single objects.
UNIT_TESTS :=

UNIT_TESTS += base/parse_test
parse_test_LIBS := base
