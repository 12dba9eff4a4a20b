/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wish: what is wanted of the machine, as it is kept in state.db.
 *
 * A wish is one line: of PF `key`, for VF `vf` (-1: the PF itself), NAME shall be VALUE. Names of a
 * PF: "count", "probe" (on, off). Names of a VF: "driver" (a name, or "none"), and every setting of
 * their table, in its own words. What nobody has wished is not touched. The key outlives reboots,
 * renamed interfaces and moved slots; `places` remembers where it was seen last.
 */
#ifndef SRIOV_WISH_H
#define SRIOV_WISH_H

#include "sriov/ledger.h"

#define WISH_KEY SRIOV_IDENTITY
#define WISH_PF	 (-1)

struct wish_place {
	char key[WISH_KEY];
	struct bdf bdf;
	char label[SRIOV_NAME];
};

/* Those of one PF, by VF and name; allocated. */
int wish_list(struct ledger *ledger, const char *key, struct sriov_wish **out, size_t *count);
/* "" for `value` takes the wish away. */
int wish_set(struct ledger *ledger, const char *key, int vf, const char *name, const char *value);

/* The PFs that have wishes, and where they were seen last; allocated. */
int wish_places(struct ledger *ledger, struct wish_place **out, size_t *count);
int wish_place_set(struct ledger *ledger, const struct wish_place *place);

/* Counts up with every change of wishes and of claims. */
int wish_generation(struct ledger *ledger, int64_t *out);

#endif
