/* SPDX-License-Identifier: BSD-3-Clause */
/* pf: finding and naming physical functions inside this folder. */
#ifndef SRIOV_PF_H
#define SRIOV_PF_H

#include "sriov/context.h"

/* The PF at `bdf`, without `device`; -ENODEV when it cannot make VFs. Nothing is logged. */
int pf_read(const struct sriov *ctx, struct bdf bdf, struct sriov_pf *out);
/* sriov_pf_list() without `device` and `alias`: libpci reads its whole table for a name. */
int pf_list(struct sriov *ctx, struct sriov_pf **out, size_t *count);
/* sriov_pf_find() without `device`. */
int pf_find(struct sriov *ctx, const char *name, struct sriov_pf *out);
/* Its interface, or else its address. */
const char *pf_name(const struct sriov_pf *pf, char text[SRIOV_NAME]);
/* The same, to stand among the arguments of a message. */
struct pf_text {
	char text[SRIOV_NAME];
};
struct pf_text pf_text(const struct sriov_pf *pf);
/* Where `virtfnN` points to. */
int pf_virtfn(const struct sriov *ctx, struct bdf pf, unsigned index, struct bdf *out);

#endif
