/* SPDX-License-Identifier: BSD-3-Clause */
/* host doctor on a made-up machine: each check says the right thing of a good and of a bad one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "cli/doctor.h"
#include "tests/fakes/fake_sysfs.h"

#define PF "0000:01:00.0"

struct machine {
	struct fake_sysfs sysfs;
	char state_dir[64];
	struct cli cli;
	json_t *rows;
	enum doctor_state worst;
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	fake_sysfs_make(&m->sysfs);
	snprintf(m->state_dir, sizeof(m->state_dir), "%s/state", m->sysfs.dir);
	m->cli = (struct cli){.state_dir = m->state_dir,
			      .run_dir = m->state_dir,
			      .sysfs = m->sysfs.dir,
			      .root = m->sysfs.dir,
			      .fs.root = -1};
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	json_decref(m->rows);
	cli_sriov_close(&m->cli);
	sysfs_close(&m->cli.fs);
	fake_sysfs_remove(&m->sysfs);
	free(m);
	return 0;
}

static void look(struct machine *m)
{
	json_decref(m->rows);
	m->rows = json_array();
	assert_int_equal(doctor_run(&m->cli, m->rows, &m->worst), 0);
}

/* The row of a check; NULL when it had nothing to say. Bad news says why and what to do. */
static const json_t *row_of(const struct machine *m, const char *check)
{
	size_t i;
	json_t *row;

	json_array_foreach (m->rows, i, row) {
		bool ok = !strcmp(json_string_value(json_object_get(row, "state")), "ok");
		assert_int_equal(ok, !json_object_get(row, "why"));
		assert_int_equal(ok, !json_object_get(row, "fix"));
		if (!strcmp(json_string_value(json_object_get(row, "check")), check))
			return row;
	}
	return NULL;
}

static void assert_row(const struct machine *m, const char *check, const char *state,
		       const char *finding)
{
	const json_t *row = row_of(m, check);

	assert_non_null(row);
	assert_string_equal(json_string_value(json_object_get(row, "state")), state);
	if (!strstr(json_string_value(json_object_get(row, "finding")), finding))
		fail_msg("%s: %s", check, json_string_value(json_object_get(row, "finding")));
}

static void test_machine(void **state)
{
	struct machine *m = *state;
	const struct sysfs *fs = &m->sysfs.fs;
	struct utsname kernel;

	look(m);
	assert_int_equal(m->worst, DOCTOR_BAD);
	assert_row(m, "iommu", "bad", "no IOMMU");
	assert_row(m, "interrupt-remapping", "warning", "no interrupt");
	assert_row(m, "acs-override", "ok", "");
	assert_row(m, "lockdown", "ok", "");
	assert_row(m, "modules", "bad", "neither loaded");
	assert_null(row_of(m, "networkmanager")); /* it is not here */
	assert_null(row_of(m, "driver"));

	fake_put(fs, "", "class/iommu/dmar0/intel-iommu/version");
	look(m);
	assert_row(m, "iommu", "bad", "no group");
	fake_put(fs, "", "kernel/iommu_groups/0/type");
	fake_put(fs, " 24: 7 IR-PCI-MSI 1-edge eth0\n", "proc/interrupts");
	fake_put(fs, "ro quiet\n", "proc/cmdline");
	fake_put(fs, "[none] integrity confidentiality\n", "kernel/security/lockdown");
	uname(&kernel);
	fake_put(fs, "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/x.ko\n",
		 "lib/modules/%s/modules.dep", kernel.release);
	look(m);
	assert_row(m, "iommu", "ok", "1 IOMMUs, 1 groups");
	assert_row(m, "interrupt-remapping", "ok", "");
	assert_row(m, "modules", "ok", "will be loaded");
	assert_row(m, "lockdown", "ok", "");
	assert_int_equal(m->worst, DOCTOR_GOOD);

	fake_put(fs, "none [integrity] confidentiality\n", "kernel/security/lockdown");
	fake_put(fs, "ro pcie_acs_override=downstream\n", "proc/cmdline");
	fake_put(fs, "", "module/vfio_pci/refcnt");
	fake_put(fs, "1\n", "run/NetworkManager/NetworkManager.pid");
	look(m);
	assert_row(m, "lockdown", "warning", "integrity");
	assert_row(m, "acs-override", "warning", "cannot be trusted");
	assert_row(m, "modules", "ok", "is loaded");
	assert_row(m, "networkmanager", "warning", "nothing tells it");
	assert_int_equal(m->worst, DOCTOR_WARNING);
	fake_put(fs, "ENV{NM_UNMANAGED}=\"1\"\n", "etc/udev/rules.d/84-sluice-unmanaged.rules");
	look(m);
	assert_row(m, "networkmanager", "ok", "");
}

static void test_pf(void **state)
{
	struct machine *m = *state;
	const struct sysfs *fs = &m->sysfs.fs;
	const char *bars = "0x00000000febc0000 0x00000000febdffff 0x0000000000040200\n"
			   "0 0 0\n0 0 0\n0 0 0\n0 0 0\n0 0 0\n0 0 0\n"
			   "%s 0x00000000fe07ffff 0x000000000014220c\n0 0 0\n0 0 0\n";
	char text[512];

	fake_pf(fs, PF, "ens1f0", 7);
	fake_put(fs, "flr bus\n", "bus/pci/devices/" PF "/reset_method");
	fake_put(fs, "1\n", "bus/pci/devices/" PF "/numa_node");
	fake_put(fs, "", "devices/system/node/node0/cpulist");
	fake_put(fs, "", "devices/system/node/node1/cpulist");
	snprintf(text, sizeof(text), bars, "0x00000000fe060000");
	fake_put(fs, text, "bus/pci/devices/" PF "/resource");
	look(m);
	assert_row(m, "driver", "ok", "igb, with link");
	assert_row(m, "profiles", "ok", "");
	assert_row(m, "group", "ok", "group 10");
	assert_row(m, "reset", "ok", "flr bus");
	assert_row(m, "bars", "ok", "");
	assert_row(m, "numa", "ok", "node 1 of 2");

	fake_put(fs, "0\n", "bus/pci/devices/" PF "/net/ens1f0/carrier");
	fake_put(fs, "\n", "bus/pci/devices/" PF "/reset_method");
	fake_put(fs, "-1\n", "bus/pci/devices/" PF "/numa_node");
	snprintf(text, sizeof(text), bars, "0x0000000000000000");
	fake_put(fs, text, "bus/pci/devices/" PF "/resource");
	fake_device(fs, "0000:01:00.1", 10, "ahci");
	fake_put(fs, "[Match]\nOriginalName=ens1*\n[Link]\nSR-IOVVirtualFunctions=2\n",
		 "etc/systemd/network/10-vf.link");
	look(m);
	assert_row(m, "driver", "warning", "ens1f0 has no link");
	assert_row(m, "profiles", "bad",
		   "10-vf.link makes its VFs: [Link] SR-IOVVirtualFunctions=2");
	assert_row(m, "group", "warning", "also has 0000:01:00.1");
	assert_row(m, "reset", "warning", "no way");
	assert_row(m, "bars", "bad", "1 of its VFs' BARs");
	assert_row(m, "numa", "warning", "not known");
	fake_unlink(fs, "bus/pci/devices/" PF "/driver");
	look(m);
	assert_row(m, "driver", "bad", "no driver");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pf, setup, teardown),
	};
	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
