/* SPDX-License-Identifier: BSD-3-Clause */
/* host: what the tests of this folder start from: a PF "ens1f0" with 7 possible VFs, and a context.
 */
#ifndef TESTS_SRIOV_HOST_H
#define TESTS_SRIOV_HOST_H

#include "sriov/sriov.h"
#include "tests/fakes/fake_kernel.h"

struct host {
	struct fake_sysfs sysfs;
	char state_dir[64], run_dir[64];
	struct sriov *ctx;
	struct sriov_pf pf;
	char told[256]; /* the last line of host_assert() */
};

int host_setup(void **state); /* cmocka */
int host_teardown(void **state);
/* As another process would: a context of its own over the same machine and ledger. */
void host_reopen(struct host *host);
/* Makes `count` VFs with drivers. */
void host_make_vfs(struct host *host, unsigned count);
struct sriov_vf host_vf(struct host *host, unsigned index);
/* "igbvf", "" for none. */
const char *host_driver(const struct host *host, unsigned index);
/* driver_override reads as unset. */
bool host_no_override(const struct host *host, unsigned index);
size_t host_claims(struct host *host);
unsigned host_num_vfs(const struct host *host);
unsigned host_autoprobe(const struct host *host);
/* The number of things that do not hold. */
int host_assert(struct host *host);
/* As `sluice apply` does for one PF: repair, plan, apply. */
int host_apply(struct host *host, const struct sriov_pf *pf);

#endif
