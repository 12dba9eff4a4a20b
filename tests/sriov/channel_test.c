/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings that take another way than rtnetlink: MSI-X count, devlink ports, NVMe resources; the
 * card's switch; and what a PF says that it can. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sriov/attrs.h"
#include "sriov/channel.h"
#include "tests/fakes/fake_card.h"
#include "tests/sriov/host.h"

static int setup(void **state)
{
	fake_card_reset();
	return host_setup(state);
}

/* VFs without drivers, as `vf create` makes them. */
static struct host *start(void **state, unsigned count)
{
	struct host *host = *state;

	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, count, false), 0);
	assert_int_equal(sriov_pf_find(host->ctx, FAKE_IF, &host->pf), 0);
	return host;
}

static int set(struct host *host, unsigned vf, const struct sriov_attrs *attrs)
{
	struct attrs_target target = {"test", host->ctx, &host->pf, vf};

	return attrs_apply(&target, attrs);
}

/* ---- MSI-X ---- */

/* A configuration space with an MSI-X capability behind another one (PCIe 6.0, 7.7.2). */
static void put_config(const struct host *host, const char *dev, unsigned vectors)
{
	char path[128];
	uint8_t space[256] = {0};

	space[0x06] = 0x10;
	space[0x34] = 0x40;
	space[0x40] = 0x01; /* power management */
	space[0x41] = 0x70;
	space[0x70] = 0x11;
	space[0x72] = (uint8_t)(vectors - 1);
	space[0x73] = (uint8_t)((vectors - 1) >> 8 | 0x80); /* and its enable bit */
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/config", host->sysfs.dir, dev);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(space, 1, sizeof(space), out), sizeof(space));
	assert_int_equal(fclose(out), 0);
}

static void test_msix(void **state)
{
	struct host *host = start(state, 2);
	const struct sriov_attrs wanted = {.set = SRIOV_MSIX, .msix = 12};
	const struct sysfs *fs = &host->sysfs.fs;
	char text[16];

	put_config(host, "0000:01:10.1", 12);
	struct sriov_vf vf = host_vf(host, 1);
	assert_int_equal(vf.attrs.set & SRIOV_MSIX, 0); /* this PF has no budget */
	assert_int_equal(set(host, 1, &wanted), -EOPNOTSUPP);
	fake_put(fs, "64\n", "bus/pci/devices/" FAKE_PF "/sriov_vf_total_msix");
	fake_put(fs, "", "bus/pci/devices/0000:01:10.1/sriov_vf_msix_count");
	vf = host_vf(host, 1);
	assert_int_equal(vf.attrs.msix, 12);
	assert_int_equal(set(host, 1, &wanted), 0); /* has it already: nothing is written */
	assert_int_equal(sysfs_read(fs, text, sizeof(text),
				    "bus/pci/devices/0000:01:10.1/sriov_vf_msix_count"),
			 0);
	assert_string_equal(text, "");
	const struct sriov_attrs by_default = {.set = SRIOV_MSIX};
	assert_int_equal(set(host, 1, &by_default), 0); /* 0 asks for no certain number */
	put_config(host, "0000:01:10.1", 2048);
	vf = host_vf(host, 1);
	assert_int_equal(vf.attrs.msix, 2048);
	assert_int_equal(set(host, 1, &wanted), -EIO); /* taken, but the table has still 2048 */
}

/* ---- devlink ---- */

static void test_ports(void **state)
{
	struct host *host = start(state, 3);
	struct fake_card *card = fake_card();
	const struct sriov_attrs wanted = {
		.set = SRIOV_PORT_ADDR | SRIOV_ROCE | SRIOV_MIGRATABLE | SRIOV_IO_EQS |
		       SRIOV_TX_SHARE | SRIOV_TX_MAX | SRIOV_TRUST,
		.port_addr = {2, 0, 0, 0, 0, 7},
		.roce = false,
		.migratable = true,
		.io_eqs = 8,
		.tx_share = 100,
		.tx_max = 1000,
		.trust = true,
	};

	assert_int_equal(set(host, 1, &wanted), -ENODEV);
	card->present = true;
	assert_int_equal(set(host, 1, &wanted), -ENXIO); /* ports are there in switchdev mode */
	card->mode = SRIOV_ESWITCH_SWITCHDEV;
	struct sriov_attrs before = card->port[1].attrs;
	card->fails = SRIOV_IO_EQS;
	card->words = "too many";
	assert_int_equal(set(host, 1, &wanted), -EINVAL);
	assert_int_equal(card->port[1].attrs.roce, before.roce); /* as before */
	assert_int_equal(card->port[1].attrs.migratable, before.migratable);
	assert_false(fake_kernel()->vf[1].trust);
	card->fails = 0;
	assert_int_equal(set(host, 1, &wanted), 0);
	struct sriov_vf vf = host_vf(host, 1);
	assert_int_equal(wanted.set & ~vf.attrs.set, 0);
	assert_int_equal(vf.attrs.port_addr[5], 7);
	assert_false(vf.attrs.roce);
	assert_true(vf.attrs.migratable);
	assert_int_equal(vf.attrs.io_eqs, 8);
	assert_int_equal(vf.attrs.tx_share, 100);
	assert_int_equal(vf.attrs.tx_max, 1000);
	assert_true(vf.attrs.trust); /* and rtnetlink's beside them */
	assert_true(vf.attrs.set & SRIOV_MAC);
	vf = host_vf(host, 2);
	assert_true(vf.attrs.roce);
}

static int pf_set(struct host *host, const char *name, const char *value)
{
	struct sriov_wish wish = {.vf = -1};

	snprintf(wish.name, sizeof(wish.name), "%s", name);
	snprintf(wish.value, sizeof(wish.value), "%s", value);
	return sriov_change(host->ctx, &host->pf, &wish, 1, "pf set");
}

static void test_eswitch(void **state)
{
	struct host *host = start(state, 2);
	struct fake_card *card = fake_card();
	char name[SRIOV_NAME];

	assert_int_equal(pf_set(host, "eswitch", "switchdev"), -ENODEV);
	card->present = true;
	card->fails = 1u << 31;
	card->words = "not with this firmware";
	assert_int_equal(pf_set(host, "eswitch", "switchdev"), -EINVAL);
	card->fails = 0;
	strcpy(card->port[1].ifname, "ens1f0r1");
	struct sriov_vf vf = host_vf(host, 1);
	sriov_vf_representor(host->ctx, &vf, name);
	assert_string_equal(name, "");
	assert_int_equal(pf_set(host, "eswitch", "switchdev"), 0);
	assert_int_equal(card->mode, SRIOV_ESWITCH_SWITCHDEV);
	sriov_vf_representor(host->ctx, &vf, name);
	assert_string_equal(name, "ens1f0r1");
	/* A stranger's VF stops it; the mode it has does not need to be set. */
	fake_bind(&host->sysfs.fs, "0000:01:10.1", "vfio-pci");
	assert_int_equal(pf_set(host, "eswitch", "switchdev"), 0);
	assert_int_equal(pf_set(host, "eswitch", "legacy"), -EBUSY);
	assert_int_equal(card->mode, SRIOV_ESWITCH_SWITCHDEV);
	fake_bind(&host->sysfs.fs, "0000:01:10.1", "igbvf");
	/* The mode is wished: after a boot it is set again, before there are VFs. */
	assert_int_equal(host_assert(host), 0);
	fake_reboot(&host->sysfs.fs, FAKE_PF);
	card->mode = SRIOV_ESWITCH_LEGACY;
	assert_int_equal(host_assert(host), 2);
	assert_int_equal(host_apply(host, &host->pf), 0);
	assert_int_equal(card->mode, SRIOV_ESWITCH_SWITCHDEV);
	assert_int_equal(host_num_vfs(host), 2);
	/* Somebody else's change is a wish that does not hold, and felt by VFs. */
	card->mode = SRIOV_ESWITCH_LEGACY;
	struct sriov_plan plan;
	assert_int_equal(sriov_plan(host->ctx, &host->pf, NULL, 0, SRIOV_PHASE_ALL, &plan), 0);
	assert_int_equal(plan.count, 1);
	assert_int_equal(plan.steps[0].op, SRIOV_OP_PF);
	assert_int_equal(sriov_plan_effect(&plan), SRIOV_DISRUPTIVE);
	sriov_plan_free(&plan);
	assert_int_equal(pf_set(host, "eswitch", "no-such"), -EINVAL);
	assert_int_equal(pf_set(host, "eswitch", ""), 0); /* nobody cares any more */
	assert_int_equal(host_assert(host), 0);
}

/* ---- NVMe ---- */

static struct fake_card *put_controller(struct host *host)
{
	struct fake_card *card = fake_card();

	fake_put(&host->sysfs.fs, "LAB 0/1 \n", "bus/pci/devices/" FAKE_PF "/nvme/nvme0/serial");
	card->controller = true;
	card->virt = (struct nvme_virt){
		.queues = {.flexible = 8, .most = 4},
		.interrupts = {.flexible = 8, .most = 4},
		.count = 3,
		/* The number of a controller is not that of its VF. */
		.secondary = {{.id = 1, .vf = 2}, {.id = 2, .vf = 1}, {.id = 3, .vf = 0}},
	};
	return card;
}

static void test_nvme(void **state)
{
	struct host *host = start(state, 3);
	const struct sriov_attrs two = {.set = SRIOV_NVME_QUEUES | SRIOV_NVME_INTERRUPTS,
					.nvme_queues = 2,
					.nvme_interrupts = 2};
	const struct sriov_attrs five = {.set = SRIOV_NVME_QUEUES, .nvme_queues = 5};
	const struct sriov_attrs four = {.set = SRIOV_NVME_QUEUES, .nvme_queues = 4};
	const struct sriov_attrs none = {.set = SRIOV_NVME_QUEUES};

	assert_int_equal(set(host, 0, &two), -EOPNOTSUPP);
	struct fake_card *card = put_controller(host);
	assert_int_equal(set(host, 0, &two), 0);
	/* Interrupts first; online as soon as it has both. */
	assert_string_equal(card->log, "i3=2 q3=2 on3 ");
	struct sriov_vf vf = host_vf(host, 0);
	assert_int_equal(vf.attrs.nvme_queues, 2);
	assert_int_equal(vf.attrs.nvme_interrupts, 2);
	vf = host_vf(host, 1);
	assert_int_equal(vf.attrs.nvme_queues, 0);
	card->log[0] = '\0';
	assert_int_equal(set(host, 1, &five), -ERANGE); /* for one alone */
	card->virt.queues.primary = 3;
	assert_int_equal(set(host, 1, &four), -ENOSPC); /* 3 are left */
	assert_string_equal(card->log, "");
	assert_int_equal(set(host, 0, &none), 0); /* offline, and not on again */
	assert_string_equal(card->log, "off3 q3=0 ");
	assert_false(card->virt.secondary[2].online);
	card->virt.queues.primary = 8;
	assert_int_equal(set(host, 0, &two), -ENOSPC); /* the controller keeps all itself */
}

static void test_nvme_keep(void **state)
{
	struct host *host = *state;
	const struct sysfs *fs = &host->sysfs.fs;
	char text[16];

	assert_int_equal(pf_set(host, "nvme-keep", "0"), -EOPNOTSUPP);
	struct fake_card *card = put_controller(host);
	fake_put(fs, "", "bus/pci/devices/" FAKE_PF "/reset");
	assert_int_equal(pf_set(host, "nvme-keep", "0"), 0);
	assert_string_equal(card->log, ""); /* it keeps nothing: no reset */
	card->virt.queues.primary = card->virt.interrupts.primary = 8;
	/* A disk of it is in use: by something that stands on it, or mounted. */
	fake_put(fs, "259:0\n", "bus/pci/devices/" FAKE_PF "/nvme/nvme0/nvme0n1/dev");
	fake_put(fs, "", "bus/pci/devices/" FAKE_PF "/nvme/nvme0/nvme0n1/holders/dm-0");
	assert_int_equal(pf_set(host, "nvme-keep", "0"), -EBUSY);
	fake_unlink(fs, "bus/pci/devices/" FAKE_PF "/nvme/nvme0/nvme0n1/holders/dm-0");
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	assert_non_null(mounts);
	assert_int_equal(fscanf(mounts, "%*s %*s %15s", text), 1);
	fclose(mounts);
	fake_put(fs, text, "bus/pci/devices/" FAKE_PF "/nvme/nvme0/nvme0n1/nvme0n1p1/dev");
	assert_int_equal(pf_set(host, "nvme-keep", "0"), -EBUSY);
	fake_unlink(fs, "bus/pci/devices/" FAKE_PF "/nvme/nvme0/nvme0n1/nvme0n1p1/dev");
	/* The same for a disk with several ways to it. */
	fake_put(fs, "", "bus/pci/devices/" FAKE_PF "/nvme/nvme0/nvme0c1n2/size");
	fake_put(fs, text, "block/nvme0n2/dev");
	assert_int_equal(pf_set(host, "nvme-keep", "0"), -EBUSY);
	fake_unlink(fs, "block/nvme0n2/dev");
	/* It is wished since the beginning; but who wants VFs or none gets no reset with them. */
	host = start(state, 1);
	assert_int_equal(pf_set(host, "nvme-keep", "0"), -EBUSY); /* has VFs */
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), 0);
	assert_string_equal(card->log, "");
	assert_int_equal(pf_set(host, "nvme-keep", "0"), 0);
	assert_string_equal(card->log, "keep-i=0 keep-q=0 ");
	assert_int_equal(sysfs_read(fs, text, sizeof(text), "bus/pci/devices/" FAKE_PF "/reset"),
			 0);
	assert_string_equal(text, "1");
	/* After a boot it keeps all again, and has its VFs only after its reset. */
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 2, true), 0);
	fake_reboot(fs, FAKE_PF);
	card->virt.queues.primary = card->virt.interrupts.primary = 8;
	card->log[0] = '\0';
	struct sriov_plan plan;
	assert_int_equal(sriov_plan(host->ctx, &host->pf, NULL, 0, SRIOV_PHASE_ALL, &plan), 0);
	assert_int_equal(plan.steps[0].op, SRIOV_OP_PF);
	assert_int_equal(plan.steps[0].effect, SRIOV_DISRUPTIVE);
	assert_string_equal(plan.steps[0].before, "8");
	sriov_plan_free(&plan);
	assert_int_equal(sriov_plan(host->ctx, &host->pf, NULL, 0, SRIOV_PHASE_EARLY, &plan), 0);
	assert_int_equal(sriov_plan_effect(&plan), SRIOV_SAFE); /* nobody is there to feel it */
	sriov_plan_free(&plan);
	assert_int_equal(host_apply(host, &host->pf), 0);
	assert_string_equal(card->log, "keep-i=0 keep-q=0 ");
	assert_int_equal(host_num_vfs(host), 2);
	assert_int_equal(host_assert(host), 0);
}

/* ---- what it can ---- */

static void test_facts(void **state)
{
	struct host *host = start(state, 1);
	const struct sysfs *fs = &host->sysfs.fs;
	struct fake_kernel *k = fake_kernel();
	struct sriov_pf_facts facts;
	const unsigned ports = channel_devlink.bits;

	fake_put(fs, "8.0 GT/s PCIe\n", "bus/pci/devices/" FAKE_PF "/current_link_speed");
	fake_put(fs, "4\n", "bus/pci/devices/" FAKE_PF "/current_link_width");
	fake_put(fs, "16.0 GT/s PCIe\n", "bus/pci/devices/" FAKE_PF "/max_link_speed");
	fake_put(fs, "8\n", "bus/pci/devices/" FAKE_PF "/max_link_width");
	fake_put(fs, "flr bus\n", "bus/pci/devices/" FAKE_PF "/reset_method");
	fake_put(fs, "10000\n", "bus/pci/devices/" FAKE_PF "/net/" FAKE_IF "/speed");
	put_config(host, FAKE_PF, 10);
	k->fails = SRIOV_LINK_STATE | SRIOV_RSS_QUERY;
	k->attr_error = -EOPNOTSUPP;
	assert_int_equal(sriov_pf_facts(host->ctx, &host->pf, &facts), 0);
	assert_string_equal(facts.pcie, "8.0 GT/s x4 of 16.0 GT/s x8");
	assert_string_equal(facts.resets, "flr bus");
	assert_int_equal(facts.link_mbps, 10000);
	assert_int_equal(facts.msix, 10);
	assert_int_equal(facts.can, channel_rtnl.bits & ~k->fails);
	assert_int_equal(facts.cannot, k->fails | ports | SRIOV_MSIX | channel_nvme.bits);
	assert_int_equal(facts.eswitch, SRIOV_ESWITCH_NONE);
	assert_string_equal(facts.card, "");

	host->pf.num_vfs = 0; /* igb says so of spoof checks until there are VFs */
	assert_int_equal(sriov_pf_facts(host->ctx, &host->pf, &facts), 0);
	assert_int_equal((facts.can | facts.cannot) & k->fails, 0);
	host->pf.num_vfs = 1;
	k->attr_error = -EPERM; /* a user who is not root does not know */
	fake_card()->present = true;
	fake_put(fs, "64\n", "bus/pci/devices/" FAKE_PF "/sriov_vf_total_msix");
	put_controller(host);
	assert_int_equal(sriov_pf_facts(host->ctx, &host->pf, &facts), 0);
	assert_int_equal(facts.can,
			 (channel_rtnl.bits & ~k->fails) | SRIOV_MSIX | channel_nvme.bits);
	assert_int_equal(facts.cannot, 0);
	assert_int_equal(facts.vf_msix, 64);
	assert_int_equal(facts.nvme_queues, 8);
	assert_int_equal(facts.nvme_queues_free, 8);
	assert_int_equal(facts.eswitch, SRIOV_ESWITCH_LEGACY);
	assert_string_equal(facts.card, "pci/0000:01:00.0");

	fake_card()->mode = SRIOV_ESWITCH_SWITCHDEV;
	for (unsigned i = 0; i < FAKE_PORTS; i++)
		fake_card()->port[i].attrs.set = SRIOV_TX_MAX;
	assert_int_equal(sriov_pf_facts(host->ctx, &host->pf, &facts), 0);
	assert_int_equal(facts.can & ports, SRIOV_TX_MAX);
	assert_int_equal(facts.cannot, ports & ~(unsigned)(SRIOV_TX_MAX | SRIOV_PORT_ADDR));
	assert_int_equal(k->attr_writes, 4 * 7); /* all of them for a VF that is not there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_msix, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_eswitch, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_nvme, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_nvme_keep, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_facts, setup, host_teardown),
	};
	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
