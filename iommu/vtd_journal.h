/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_journal: who drives a unit, and whether it was left on.
 *
 * RUN_DIR/iommu/BASE.unit is locked by who drives the unit at BASE. It names the file of hugepages
 * that the unit's tables lie in, from before the unit goes on until after it is off. A file that
 * nobody locks and that is not empty is what a killed driver leaves: the unit is on, and walks
 * tables that the file of hugepages still holds.
 */
#ifndef IOMMU_VTD_JOURNAL_H
#define IOMMU_VTD_JOURNAL_H

#include <stdint.h>

struct vtd_journal;

/* Takes the lock. -EBUSY: somebody drives it. Logged. */
int vtd_journal_open(const char *run_dir, uint64_t base, struct vtd_journal **out);
/* The file of hugepages of a driver that was killed; NULL when the unit was left off. */
const char *vtd_journal_left(const struct vtd_journal *journal);
/* Before the unit goes on: it is on, with its tables in `memory`. */
int vtd_journal_begin(struct vtd_journal *journal, const char *memory);
/* After it is off: removes the file of hugepages, and forgets it. */
int vtd_journal_end(struct vtd_journal *journal);
/* Gives up the lock; what was begun and not ended stays written. */
void vtd_journal_close(struct vtd_journal *journal);

#endif
