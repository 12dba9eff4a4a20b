/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan: from what is wanted and what was found to the steps between them. Pure: nothing is read or
 * written here, so a table can test it.
 *
 * Order of one PF: the VFs go (if their number is another), its own settings, autoprobe off, the
 * VFs come, then VF by VF what must be set before a driver binds, the other settings in the order
 * of their table, a driver that was named; autoprobe as it is wished; then VFs that shall have
 * whichever driver the kernel finds, which it looks for only with autoprobe on.
 *
 * Autoprobe stays off where VFs shall have no driver: a driver that is loaded later would take
 * them.
 */
#ifndef SRIOV_PLAN_H
#define SRIOV_PLAN_H

#include "sriov/sriov.h"

struct plan_vf {
	unsigned index;
	struct sriov_attrs attrs;  /* `set`: those that were wished */
	char driver[SRIOV_DRIVER]; /* "none" for none; "" nobody cares */
};

struct plan_want {
	int count;		    /* -1: nobody cares */
	bool probe, probe_known;    /* may the host's drivers take VFs; whether anybody cares */
	enum sriov_eswitch eswitch; /* NONE: nobody cares */
	int keep;		    /* of an NVMe controller; -1: nobody cares */
	struct plan_vf *vfs;	    /* by index, each once */
	size_t vf_count;
	unsigned most; /* the highest index */
};

struct plan_have {
	struct sriov_pf pf;
	bool autoprobe;
	enum sriov_eswitch eswitch;	  /* NONE: not known */
	int keep;			  /* -1: not known */
	char keep_blocker[SRIOV_BLOCKER]; /* what keeps the controller from a reset; "": nothing */
	struct sriov_vf *vfs;		  /* of every index below pf.num_vfs that is there */
	unsigned *claimed; /* per VF: settings that its holder brought, and that go with him */
	size_t vf_count;
};

struct plan_scope {
	const struct sriov_wish *only; /* steps of these alone; NULL: all */
	size_t only_count;
	enum sriov_phase phase;
};

/* Fills in steps and count of `out`. -ENOMEM. */
int plan_make(const struct plan_want *want, const struct plan_have *have,
	      const struct plan_scope *scope, struct sriov_plan *out);

/* From wishes as they are kept, to what the planner takes. Values that this version does not
 * understand are logged and -EINVAL. plan_want_free() in any case. */
int plan_want_parse(const char *subject, const struct sriov_wish *wishes, size_t count,
		    struct plan_want *out);
void plan_want_free(struct plan_want *want);

/* Who keeps a VF from going, and what to do about it; "" for nobody. */
void plan_blocker(const struct sriov_vf *vf, char text[SRIOV_BLOCKER]);

#endif
