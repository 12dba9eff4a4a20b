/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * claim: handing a function out, and taking it back.
 *
 * The ledger's row says what the function was, and is written before anything is changed and
 * removed after everything is back. So whoever finds a row whose owner is dead can undo, however
 * far that one came: put_back() looks at the machine, not at how far it should be, and does
 * nothing twice. A row of an earlier boot is only a memory: the reboot undid the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "iommu/iommu.h"
#include "sriov/attrs.h"
#include "sriov/bind.h"
#include "sriov/change.h"
#include "sriov/context.h"
#include "sriov/holder.h"
#include "sriov/lock.h"
#include "sriov/module.h"
#include "sriov/owner.h"
#include "sriov/pf.h"
#include "sriov/vf.h"
#include "sriov/work.h"

#define VFIO	  "vfio-pci"
#define LET_GO_MS 5000 /* a killed VMM still unpins its guest's memory */

/* "vf ens1f0/2" for a VF, its address for another function. */
static char *claim_subject(const struct sriov *ctx, const struct ledger_claim *claim,
			   char text[VF_SUBJECT])
{
	struct sriov_vf vf = {.index = (unsigned)claim->vf_index};
	struct sriov_pf pf;

	if (claim->vf_index < 0 || pf_read(ctx, claim->pf, &pf))
		return bdf_format(claim->bdf, text);
	pf_name(&pf, vf.pf);
	return vf_subject(&vf, text);
}

/* ---- giving back ---- */

/* Some settings are read by a driver when it takes the VF, vfio-pci too; so none may have it. */
static int unbind_for(struct sriov *ctx, struct bdf bdf, const struct sriov_attrs *attrs)
{
	size_t count;

	for (const struct sriov_attr_info *row = sriov_attr_table(&count); count--; row++)
		if (row->needs_unbound && (attrs->set & row->bit))
			return sriov_rebind(ctx, bdf, "");
	return 0;
}

/* As it was, or as it was wished meanwhile. */
static void restore_attrs(struct sriov *ctx, struct ledger *ledger,
			  const struct ledger_claim *claim, const char *subject, char *driver)
{
	struct sriov_attrs previous = claim->previous;
	struct sriov_pf pf;

	snprintf(driver, SRIOV_DRIVER, "%s", claim->previous_driver);
	if (claim->vf_index >= 0)
		place_overlay(ctx, ledger, claim->pf, claim->vf_index, &previous, driver);
	if (!previous.set)
		return;
	if (pf_read(ctx, claim->pf, &pf) || attrs_check_pf(subject, &pf, &previous)) {
		log_warn(subject, "settings not put back");
		return;
	}
	struct attrs_target target = {subject, ctx, &pf, (unsigned)claim->vf_index};
	if (!unbind_for(ctx, claim->bdf, &previous)) /* else logged */
		attrs_restore(&target, &previous);
}

/* Nothing of its guest's is to be found by whoever has it next. VFIO resets a device that it
 * closes; this is for one whose reset failed then, or was of a kind that kept something. */
static void scrub(struct sriov *ctx, const struct ledger_claim *claim, const char *subject)
{
	char dev[BDF_TEXT], now[SRIOV_DRIVER];

	/* Only when it came as far as its guest. */
	if (context_driver(ctx, bdf_format(claim->bdf, dev), now) || !context_is_vfio(now))
		return;
	if (bind_scrub(ctx, claim->bdf) == -ENOTTY)
		log_warn(subject, "has no reset of its own: what its VM left in it stays there");
}

/* From any point of a claim to the state before it. The caller holds the lock. */
static int put_back(struct sriov *ctx, struct ledger *ledger, const struct ledger_claim *claim)
{
	char dev[BDF_TEXT], boot[CONTEXT_BOOT], subject[VF_SUBJECT], driver[SRIOV_DRIVER];
	int err = 0;

	context_boot(boot);
	if (!strcmp(boot, claim->boot) &&
	    sysfs_exists(&ctx->fs, "bus/pci/devices/%s", bdf_format(claim->bdf, dev))) {
		scrub(ctx, claim, claim_subject(ctx, claim, subject));
		restore_attrs(ctx, ledger, claim, subject, driver);
		err = sriov_rebind(ctx, claim->bdf, driver);
	}
	return err ? err : ledger_drop(ledger, claim->bdf);
}

/* Waits a moment for a process that is ending; -EBUSY when one keeps the group open. Our own
 * descriptor does not count: it is the caller's to close. */
static int await_let_go(int group, const char *subject)
{
	for (unsigned ms = 0;; ms += 100) {
		struct holders holders;
		int err = holders_scan(HOLDER_PROC, &holders);
		const struct holder *h = holders_find(&holders, group, getpid());
		if (!err && h && ms >= LET_GO_MS)
			err = log_fail(-EBUSY, subject,
				       "not released: %s (pid %d) still has its IOMMU group open; "
				       "end it first",
				       h->comm, (int)h->pid);
		bool gone = !h;
		if (!err && gone && !holders.complete)
			err = log_fail(-EBUSY, subject,
				       "not released: not every process can be looked into; run as "
				       "root");
		holders_free(&holders);
		if (err || gone)
			return err;
		nanosleep(&(struct timespec){.tv_nsec = 100000000L}, NULL);
	}
}

/* The row may be an orphan's: nobody may have the group open then. */
static int put_back_orphan(struct sriov *ctx, struct ledger *ledger,
			   const struct ledger_claim *claim)
{
	char dev[BDF_TEXT], driver[SRIOV_DRIVER], subject[VF_SUBJECT];
	int err = 0;

	bdf_format(claim->bdf, dev);
	if (!context_driver(ctx, dev, driver) && context_is_vfio(driver))
		err = await_let_go(context_group(ctx, dev), claim_subject(ctx, claim, subject));
	return err ? err : put_back(ctx, ledger, claim);
}

static int release_locked(struct sriov *ctx, struct ledger *ledger, struct bdf bdf,
			  const char *owner)
{
	struct ledger_claim claim;
	char subject[VF_SUBJECT];
	pid_t pid;
	int found = ledger_get(ledger, bdf, &claim);

	if (found <= 0)
		return found;
	if (!owner_holds(ctx, &claim, &pid))
		return put_back_orphan(ctx, ledger, &claim);
	if (!owner || strcmp(owner, claim.owner))
		return log_fail(
			-EBUSY, claim_subject(ctx, &claim, subject),
			"not released: vm %s (pid %d) lives and has it; `sluice vm stop %s` "
			"first",
			claim.owner, (int)pid, claim.owner);
	return put_back(ctx, ledger, &claim);
}

int sriov_release(struct sriov *ctx, struct bdf bdf, const char *owner)
{
	struct ledger_claim claim;
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (err)
		return err;
	int found = ledger_get(ledger, bdf, &claim);
	if (found <= 0)
		return found;
	err = work_lock(ctx, ledger, claim.pf);
	if (err)
		return err;
	err = release_locked(ctx, ledger, bdf, owner);
	lock_drop(ctx);
	return err;
}

int sriov_release_all(struct sriov *ctx, const char *owner)
{
	struct ledger_claim *claims;
	struct ledger *ledger;
	size_t count;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = ledger_list(ledger, owner, &claims, &count);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		int err2 = sriov_release(ctx, claims[i].bdf, owner);
		err = err ? err : err2;
	}
	free(claims);
	return err;
}

/* ---- taking ---- */

/* Another member of the group: in another VM's hands? Sets *ours when in the same owner's. */
static int check_member(struct sriov *ctx, struct ledger *ledger, const struct ledger_claim *claim,
			struct bdf member, int group, bool *ours)
{
	char subject[VF_SUBJECT], other[VF_SUBJECT];
	struct ledger_claim row;
	pid_t pid;
	int found = ledger_get(ledger, member, &row);

	if (found <= 0 || !owner_holds(ctx, &row, &pid))
		return found < 0 ? found : 0;
	*ours |= !strcmp(row.generation, claim->generation);
	if (!strcmp(row.generation, claim->generation))
		return 0;
	return log_fail(-EBUSY, claim_subject(ctx, claim, subject),
			"not taken: it shares IOMMU group %d with %s, which vm %s (pid %d) has",
			group, claim_subject(ctx, &row, other), row.owner, (int)pid);
}

static int check_holders(int group, const char *subject)
{
	struct holders holders;
	int err = holders_scan(HOLDER_PROC, &holders);
	const struct holder *h = holders_find(&holders, group, getpid());

	if (!err && h)
		err = log_fail(-EBUSY, subject,
			       "not taken: its IOMMU group %d is open in %s (pid %d)", group,
			       h->comm, (int)h->pid);
	else if (!err && !holders.complete)
		err = log_fail(-EBUSY, subject,
			       "not taken: not every process can be looked into, so one may be "
			       "using it; run as root");
	holders_free(&holders);
	return err;
}

static int check_group(struct sriov *ctx, struct ledger *ledger, const struct ledger_claim *claim)
{
	char subject[VF_SUBJECT], dev[BDF_TEXT];
	struct iommu_group *group;
	bool ours = false;
	int err = iommu_group_read(&ctx->fs, claim->bdf, &group);

	if (err)
		return err;
	claim_subject(ctx, claim, subject);
	const struct iommu_member *blocker = iommu_group_blocker(group, claim->bdf);
	if (blocker)
		err = log_fail(-EPERM, subject,
			       "not taken: it shares IOMMU group %d with %s, which the host uses "
			       "(driver %s); the IOMMU cannot tell them apart",
			       group->id, bdf_format(blocker->bdf, dev), blocker->driver);
	for (size_t i = 0; !err && i < group->count; i++)
		if (!bdf_equal(group->members[i].bdf, claim->bdf))
			err = check_member(ctx, ledger, claim, group->members[i].bdf, group->id,
					   &ours);
	/* A VM that has another member has the group open, rightly. */
	if (!err && !ours)
		err = check_holders(group->id, subject);
	free(group);
	return err;
}

/* In whose hands is it? An orphan's is taken from the dead. */
static int check_owner(struct sriov *ctx, struct ledger *ledger, const struct ledger_claim *claim)
{
	char subject[VF_SUBJECT];
	struct ledger_claim row;
	pid_t pid;
	int found = ledger_get(ledger, claim->bdf, &row);

	if (found <= 0)
		return found;
	claim_subject(ctx, claim, subject);
	if (owner_holds(ctx, &row, &pid))
		return log_fail(-EBUSY, subject, "not taken: vm %s (pid %d) has it", row.owner,
				(int)pid);
	log_warn(subject, "was left over from vm %s; putting it back first", row.owner);
	return put_back_orphan(ctx, ledger, &row);
}

/* Row, checks, settings, driver; or all as before. The caller holds the lock. */
static int take(struct sriov *ctx, struct ledger *ledger, const struct ledger_claim *claim,
		const struct attrs_target *target, const struct sriov_attrs *wanted)
{
	/* The row comes before the look at the group: of two commands that take members of one
	 * group at once, at least one sees the other's row. */
	int err = ledger_put(ledger, claim);

	if (err)
		return err;
	err = check_group(ctx, ledger, claim);
	if (err) {
		ledger_drop(ledger, claim->bdf);
		return err;
	}
	err = unbind_for(ctx, claim->bdf, wanted);
	if (!err)
		err = attrs_apply(target, wanted);
	if (!err)
		err = sriov_bind(ctx, claim->bdf, VFIO, NULL);
	if (err && put_back(ctx, ledger, claim))
		log_warn(target->subject, "not all is as before; `sluice vf release` tries again");
	return err;
}

static int new_claim(struct sriov *ctx, struct bdf bdf, struct bdf pf, int index, const char *owner,
		     struct ledger_claim *out)
{
	struct timespec now;
	pid_t pid;
	int err = owner_check_name(owner);

	if (err)
		return err;
	*out = (struct ledger_claim){.bdf = bdf, .pf = pf, .vf_index = index};
	snprintf(out->owner, sizeof(out->owner), "%s", owner);
	if (!owner_life(ctx, owner, out->generation, &pid))
		return log_fail(-EINVAL, owner, "takes a device, but nobody holds this VM's lock");
	context_boot(out->boot);
	clock_gettime(CLOCK_REALTIME, &now);
	out->since = now.tv_sec;
	return 0;
}

/* What only its own driver can use is read after orphans are gone, since it may change by that. */
static int read_previous_driver(const struct sriov *ctx, struct ledger_claim *claim)
{
	char dev[BDF_TEXT];
	int err = context_driver(ctx, bdf_format(claim->bdf, dev), claim->previous_driver);

	return err ? log_fail(err, dev, "no such PCI device") : 0;
}

/* ---- the MAC of a VF that was given none ---- */

/* FNV-1a, 64 bits. */
static uint64_t hash(const uint8_t *data, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ data[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* Of the PF's permanent address and the index alone, so the guest finds the same card after every
 * start. Locally administered, unicast (IEEE 802 clause 8.4). */
static void stable_mac(const uint8_t permanent[6], unsigned index, uint8_t mac[6])
{
	uint64_t h = hash(permanent, 6);

	for (unsigned i = 0; i < 4; i++)
		mac[i] = (uint8_t)(h >> (8 * i));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
	mac[4] = (uint8_t)(index >> 8);
	mac[5] = (uint8_t)index;
}

/* Fills in what to set and what to put back. */
static int plan_attrs(const struct sriov *ctx, const struct attrs_target *target,
		      struct ledger_claim *claim, struct sriov_attrs *wanted)
{
	static const uint8_t zero[6];
	uint8_t permanent[6];
	int err = attrs_read(target, &claim->previous, permanent);

	if (err)
		return err;
	if (vf_mac_is_random(ctx, claim->bdf, claim->previous.mac))
		memset(claim->previous.mac, 0, sizeof(claim->previous.mac));
	if (!(wanted->set & SRIOV_MAC) && !memcmp(claim->previous.mac, zero, sizeof(zero))) {
		stable_mac(permanent, target->index, wanted->mac);
		wanted->set |= SRIOV_MAC;
	}
	claim->previous.set &= wanted->set;
	return 0;
}

static int check_pf(const struct sriov_pf *pf, const char *subject, const struct sriov_attrs *attrs)
{
	int err = attrs_check_pf(subject, pf, attrs);

	if (err)
		return err;
	if (pf->ifname[0] && !pf->link_up)
		log_warn(subject,
			 "%s has no link, so the VF passes no traffic; `ip link set %s up`",
			 pf->ifname, pf->ifname);
	return 0;
}

static int claim_vf_locked(struct sriov *ctx, struct ledger *ledger, const struct sriov_vf *vf,
			   const struct sriov_attrs *attrs, const char *owner)
{
	struct sriov_attrs wanted = attrs ? *attrs : (struct sriov_attrs){0};
	struct ledger_claim claim;
	char subject[VF_SUBJECT];
	struct sriov_pf pf;
	struct bdf now;

	vf_subject(vf, subject);
	if (pf_read(ctx, vf->pf_bdf, &pf) || pf_virtfn(ctx, vf->pf_bdf, vf->index, &now) ||
	    !bdf_equal(now, vf->bdf))
		return log_fail(-ENODEV, subject, "gone: its PF's VFs were removed meanwhile");
	struct attrs_target target = {subject, ctx, &pf, vf->index};
	int err = sriov_attr_check(subject, &wanted);
	if (!err)
		err = check_pf(&pf, subject, &wanted);
	if (!err)
		err = new_claim(ctx, vf->bdf, vf->pf_bdf, (int)vf->index, owner, &claim);
	if (!err)
		err = check_owner(ctx, ledger, &claim);
	if (!err)
		err = read_previous_driver(ctx, &claim);
	if (!err && pf.ifname[0])
		err = plan_attrs(ctx, &target, &claim, &wanted);
	return err ? err : take(ctx, ledger, &claim, &target, &wanted);
}

int sriov_claim_vf(struct sriov *ctx, const struct sriov_vf *vf, const struct sriov_attrs *attrs,
		   const char *owner)
{
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (err)
		return err;
	err = work_lock(ctx, ledger, vf->pf_bdf);
	if (err)
		return err;
	err = claim_vf_locked(ctx, ledger, vf, attrs, owner);
	lock_drop(ctx);
	return err;
}

/* What must not be taken from the host at all. */
static int check_device(struct sriov *ctx, const char *dev)
{
	char class[16] = "";
	uint64_t vfs = 0;

	if (!sysfs_exists(&ctx->fs, "bus/pci/devices/%s", dev))
		return log_fail(-ENODEV, dev, "no such PCI device");
	if (sysfs_exists(&ctx->fs, "bus/pci/devices/%s/physfn", dev))
		return log_fail(-EINVAL, dev, "is a VF; name it PF/INDEX");
	sysfs_read(&ctx->fs, class, sizeof(class), "bus/pci/devices/%s/class", dev);
	if (!strncmp(class, "0x06", 4)) /* base class 06h, bridges: PCI Code and ID Assignment */
		return log_fail(-EINVAL, dev, "is a bridge; only what is behind it can be taken");
	sysfs_read_u64(&ctx->fs, &vfs, "bus/pci/devices/%s/sriov_numvfs", dev);
	if (vfs)
		return log_fail(-EBUSY, dev,
				"not taken: it has %u VFs, which would go with it; `sluice vf "
				"destroy %s` first",
				(unsigned)vfs, dev);
	return 0;
}

int sriov_claim_device(struct sriov *ctx, struct bdf bdf, const char *owner)
{
	char dev[BDF_TEXT];
	struct ledger_claim claim;
	struct ledger *ledger;
	const struct sriov_attrs nothing = {0};
	struct attrs_target target = {bdf_format(bdf, dev), ctx, NULL, 0};
	int err = context_ledger(ctx, &ledger);

	if (err)
		return err;
	err = work_lock(ctx, ledger, bdf);
	if (err)
		return err;
	err = check_device(ctx, dev);
	if (!err)
		err = new_claim(ctx, bdf, bdf, -1, owner, &claim);
	if (!err)
		err = check_owner(ctx, ledger, &claim);
	if (!err)
		err = read_previous_driver(ctx, &claim);
	if (!err)
		err = take(ctx, ledger, &claim, &target, &nothing);
	lock_drop(ctx);
	return err;
}

int sriov_claim_as_is(struct sriov *ctx, struct bdf bdf, const char *name, int group,
		      const char *owner)
{
	struct ledger_claim claim;
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (err)
		return err;
	err = work_lock(ctx, ledger, bdf);
	if (err)
		return err;
	err = new_claim(ctx, bdf, bdf, -1, owner, &claim);
	if (!err)
		err = check_owner(ctx, ledger, &claim);
	if (!err && !bdf_is_stand_in(bdf))
		err = read_previous_driver(ctx, &claim);
	if (!err)
		err = ledger_put(ledger, &claim);
	if (!err && !sysfs_exists(&ctx->fs, "module/vfio_iommu_type1"))
		module_load("vfio_iommu_type1"); /* which nobody needs to open a group, but a
						    container */
	if (!err) {
		err = group < 0 ? log_fail(-ENOENT, name, "not taken: it has no IOMMU group")
				: check_holders(group, name);
		if (err)
			ledger_drop(ledger, bdf);
	}
	lock_drop(ctx);
	return err;
}

int sriov_claims(struct sriov *ctx, struct sriov_claim **out, size_t *count)
{
	struct ledger_claim *rows = NULL;
	struct ledger *ledger;
	pid_t pid;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = ledger_list(ledger, NULL, &rows, count);
	if (err)
		return err;
	struct sriov_claim *list = calloc(*count + 1, sizeof(*list));
	for (size_t i = 0; list && i < *count; i++) {
		list[i].bdf = rows[i].bdf;
		memcpy(list[i].owner, rows[i].owner, sizeof(list[i].owner));
		memcpy(list[i].previous_driver, rows[i].previous_driver,
		       sizeof(list[i].previous_driver));
		list[i].since = rows[i].since;
		list[i].orphaned = !owner_holds(ctx, &rows[i], &pid);
	}
	free(rows);
	*out = list;
	return list ? 0 : -ENOMEM;
}
