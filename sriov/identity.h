/* SPDX-License-Identifier: BSD-3-Clause */
/* identity: finding a PF again, wherever it is and whatever it is called today. */
#ifndef SRIOV_IDENTITY_H
#define SRIOV_IDENTITY_H

#include "sriov/context.h"

/* Fills pf->identity from what is there; what cannot be read is "". */
void identity_read(const struct sriov *ctx, struct sriov_pf *pf);

/* From text, as sriov_identity_format makes it. -EINVAL; nothing is logged. */
int identity_parse(const char *text, struct sriov_identity *out);

enum identity_match {
	IDENTITY_OTHER,
	IDENTITY_SAME,
	IDENTITY_MOVED,	   /* the same card in another slot */
	IDENTITY_REPLACED, /* another card of the same kind in the same slot */
};
/* An unknown serial is nobody's: where one of the two has none, or one of another kind, place and
 * IDs decide. */
enum identity_match identity_match(const struct sriov_identity *known,
				   const struct sriov_identity *seen);

/* pf->alias of every PF of the list, by the aliases in the ledger. Aliases that belong to none are
 * left out. */
void identity_name(struct sriov *ctx, struct sriov_pf *list, size_t count);
/* The PF of the list that `name` is the alias of: 1; 0: no such alias; -ESTALE or -ENODEV, logged,
 * when its card is not there. */
int identity_find(struct sriov *ctx, const char *name, const struct sriov_pf *list, size_t count,
		  struct sriov_pf *out);

#endif
