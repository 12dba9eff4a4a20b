/* SPDX-License-Identifier: BSD-3-Clause */
/* host: see host.h. */
#include "tests/sriov/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void host_reopen(struct host *host)
{
	struct sriov_config config = {.sysfs = host->sysfs.dir,
				      .state_dir = host->state_dir,
				      .run_dir = host->run_dir,
				      .root = host->sysfs.dir};

	sriov_close(host->ctx);
	assert_int_equal(sriov_open(&config, &host->ctx), 0);
}

int host_setup(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	fake_kernel_reset();
	fake_sysfs_make(&host->sysfs);
	fake_pf(&host->sysfs.fs, FAKE_PF, FAKE_IF, 7);
	fake_driver(&host->sysfs.fs, "igbvf");
	fake_put(&host->sysfs.fs, "", "module/vfio_iommu_type1/refcnt");
	snprintf(host->state_dir, sizeof(host->state_dir), "%s/var/lib", host->sysfs.dir);
	snprintf(host->run_dir, sizeof(host->run_dir), "%s/run", host->sysfs.dir);
	host_reopen(host);
	assert_int_equal(sriov_pf_find(host->ctx, FAKE_IF, &host->pf), 0);
	*state = host;
	return 0;
}

int host_teardown(void **state)
{
	struct host *host = *state;

	sriov_close(host->ctx);
	fake_sysfs_remove(&host->sysfs);
	free(host);
	return 0;
}

void host_make_vfs(struct host *host, unsigned count)
{
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, count, true), 0);
}

struct sriov_vf host_vf(struct host *host, unsigned index)
{
	struct sriov_vf vf;
	char name[32];

	snprintf(name, sizeof(name), FAKE_IF "/%u", index);
	assert_int_equal(sriov_vf_find(host->ctx, name, &vf), 0);
	return vf;
}

const char *host_driver(const struct host *host, unsigned index)
{
	static char driver[64];

	if (sysfs_link_name(&host->sysfs.fs, driver, sizeof(driver),
			    "bus/pci/devices/0000:01:10.%u/driver", index))
		driver[0] = '\0';
	return driver;
}

bool host_no_override(const struct host *host, unsigned index)
{
	char text[64];

	assert_int_equal(sysfs_read(&host->sysfs.fs, text, sizeof(text),
				    "bus/pci/devices/0000:01:10.%u/driver_override", index),
			 0);
	return !strcmp(text, "(null)") || !text[0];
}

size_t host_claims(struct host *host)
{
	struct sriov_claim *list;
	size_t count;

	assert_int_equal(sriov_claims(host->ctx, &list, &count), 0);
	free(list);
	return count;
}

static unsigned read_number(const struct host *host, const char *file)
{
	uint64_t n;

	assert_int_equal(
		sysfs_read_u64(&host->sysfs.fs, &n, "bus/pci/devices/" FAKE_PF "/%s", file), 0);
	return (unsigned)n;
}

unsigned host_num_vfs(const struct host *host)
{
	return read_number(host, "sriov_numvfs");
}

unsigned host_autoprobe(const struct host *host)
{
	return read_number(host, "sriov_drivers_autoprobe");
}

static void take_line(const char *subject, const char *text, void *opaque)
{
	struct host *host = opaque;

	snprintf(host->told, sizeof(host->told), "%s: %s", subject, text);
}

int host_assert(struct host *host)
{
	host->told[0] = '\0';
	return sriov_assert(host->ctx, take_line, host);
}

int host_apply(struct host *host, const struct sriov_pf *pf)
{
	struct sriov_plan plan;
	int err = sriov_repair(host->ctx, pf);

	if (err >= 0)
		err = sriov_plan(host->ctx, pf, NULL, 0, SRIOV_PHASE_ALL, &plan);
	if (err)
		return err;
	err = sriov_apply(host->ctx, &plan, SRIOV_PHASE_ALL);
	sriov_plan_free(&plan);
	return err;
}
