/* SPDX-License-Identifier: BSD-3-Clause */
/* Profiles of NetworkManager and systemd that own a PF's VFs: found, and refused by name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fakes/fake_card.h"
#include "tests/sriov/host.h"

#define NM	"etc/NetworkManager/system-connections/"
#define SYSTEMD "etc/systemd/network/"

static int setup(void **state)
{
	fake_card_reset();
	return host_setup(state);
}

static const struct {
	const char *file, *text;
	const char *setting; /* NULL: not about our PF's VFs */
} profiles[] = {
	{NM "a.nmconnection",
	 "[connection]\nid=a\ntype=ethernet\ninterface-name=ens1f0\n\n[sriov]\ntotal-vfs=4\n",
	 "[sriov] total-vfs=4"},
	{NM "b.nmconnection",
	 "[connection]\ntype=ethernet\n[ethernet]\nmac-address=52:54:00:12:34:56\n"
	 "[sriov]\nvf.0=mac=00:11:22:33:44:55\n",
	 "[sriov] vf.0=mac=00:11:22:33:44:55"},
	{NM "any.nmconnection", "[connection]\ntype=ethernet\n[sriov]\ntotal-vfs=0\n",
	 "[sriov] total-vfs=0"},
	{"run/NetworkManager/system-connections/g.nmconnection",
	 "[connection]\ntype=ethernet\n[match]\ninterface-name=eno*;ens1*;\n[sriov]\n"
	 "total-vfs=2\n",
	 "[sriov] total-vfs=2"},
	{SYSTEMD "10-ens.link",
	 "# made by hand\n[Match]\nOriginalName=eno1 ens1f*\n[Link]\nSR-IOVVirtualFunctions=4\r\n",
	 "[Link] SR-IOVVirtualFunctions=4"},
	{SYSTEMD "20.network",
	 "[Match]\nPath=pci-0000:01:*\nDriver=igb\n[SR-IOV]\nVirtualFunction=0\nTrust=yes\n",
	 "[SR-IOV] VirtualFunction=0"},
	{"usr/lib/systemd/network/30.link",
	 "[Match]\nPermanentMACAddress=52:54:00:12:34:56\n[SR-IOV]\nVirtualFunction=1\n",
	 "[SR-IOV] VirtualFunction=1"},
	{SYSTEMD "31.link", "[Match]\nOriginalName=!eno*\n[SR-IOV]\nVirtualFunction=1\n",
	 "[SR-IOV] VirtualFunction=1"},
	/* another interface's */
	{NM "c.nmconnection", "[connection]\ninterface-name=ens9\n[sriov]\ntotal-vfs=4\n", NULL},
	{NM "w.nmconnection", "[connection]\ntype=wifi\n[sriov]\ntotal-vfs=4\n", NULL},
	{SYSTEMD "40.link", "[Match]\nOriginalName=!ens*\n[SR-IOV]\nVirtualFunction=1\n", NULL},
	{SYSTEMD "41.link",
	 "[Match]\nOriginalName=ens1f0\nDriver=ixgbe\n[SR-IOV]\nVirtualFunction=1\n", NULL},
	/* not about VFs, or not a profile */
	{NM "d.nmconnection", "[connection]\ninterface-name=ens1f0\n[sriov]\n", NULL},
	{NM "e.nmconnection", "[connection]\ninterface-name=ens1f0\n#[sriov]\n#total-vfs=4\n",
	 NULL},
	{SYSTEMD "50.link", "[Match]\nOriginalName=*\n[Link]\nMTUBytes=9000\n", NULL},
	{SYSTEMD "60.link.disabled", "[Match]\nOriginalName=*\n[SR-IOV]\nVirtualFunction=1\n",
	 NULL},
	{SYSTEMD "70.link", "]\n[\n=\n[]\n[Match\n\n", NULL},
};

static void test_profiles(void **state)
{
	struct host *host = *state;
	const struct sysfs *fs = &host->sysfs.fs;
	char path[SRIOV_PROFILE_PATH], setting[SRIOV_PROFILE_SETTING];

	assert_false(sriov_pf_profile(host->ctx, &host->pf, path, setting));
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		fake_put(fs, profiles[i].text, "%s", profiles[i].file);
		bool found = sriov_pf_profile(host->ctx, &host->pf, path, setting);
		if (found != (profiles[i].setting != NULL))
			fail_msg("%s: %s", profiles[i].file, found ? setting : "not found");
		if (found) {
			assert_string_equal(setting, profiles[i].setting);
			assert_non_null(strstr(path, profiles[i].file));
			assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 2, false), -EBUSY);
		}
		fake_unlink(fs, "%s", profiles[i].file);
	}
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 2, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_profiles, setup, host_teardown),
	};
	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
