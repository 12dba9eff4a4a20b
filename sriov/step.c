/* SPDX-License-Identifier: BSD-3-Clause */
/* step: see step.h. Where a step is carried out, by whom: numvfs.c, attrs.c, bind.c. */
#include "sriov/step.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "sriov/attrs.h"
#include "sriov/bind.h"
#include "sriov/eswitch.h"
#include "sriov/numvfs.h"
#include "sriov/nvme_pf.h"
#include "sriov/pf.h"
#include "sriov/resource.h"
#include "sriov/vf.h"

#define AUTOPROBE "bus/pci/devices/%s/sriov_drivers_autoprobe"

static int set_autoprobe(struct sriov *ctx, const struct sriov_pf *pf, const char *to)
{
	char dev[BDF_TEXT], now[8];
	int err = sysfs_read(&ctx->fs, now, sizeof(now), AUTOPROBE, bdf_format(pf->bdf, dev));

	if (!err && strcmp(now, to))
		err = sysfs_write(&ctx->fs, to, AUTOPROBE, dev);
	return err ? log_fail(err, dev, "sriov_drivers_autoprobe not set to %s: %s", to,
			      strerror(-err))
		   : 0;
}

static int set_count(struct sriov *ctx, const struct sriov_pf *pf, const char *to)
{
	struct sriov_pf now;
	char name[SRIOV_NAME], what[64];
	uint32_t count;
	int err = parse_u32(to, 0, UINT16_MAX, &count);

	pf_name(pf, name);
	if (!err)
		err = pf_read(ctx, pf->bdf, &now);
	if (err)
		return log_fail(err, name, "gone: %s", strerror(-err));
	if (now.num_vfs == count)
		return 0;
	if (!now.num_vfs)
		return numvfs_set(ctx, &now, count);
	snprintf(what, sizeof(what), "its %u VFs stay", now.num_vfs);
	err = vf_all_free(ctx, &now, what);
	return err ? err : numvfs_set(ctx, &now, 0);
}

static int find_vf(struct sriov *ctx, const struct sriov_pf *pf, int index, struct bdf *bdf,
		   char subject[VF_SUBJECT])
{
	struct sriov_vf vf = {.index = (unsigned)index};

	pf_name(pf, vf.pf);
	vf_subject(&vf, subject);
	int err = pf_virtfn(ctx, pf->bdf, vf.index, bdf);
	return err ? log_fail(err == -ENOENT ? -ENODEV : err, subject, "gone: %s", strerror(-err))
		   : 0;
}

/* What the machine showed is kept too: an address of zeros, which nobody may type. */
static int parse_value(const char *subject, const struct sriov_step *s, const char *to,
		       struct sriov_attrs *out)
{
	size_t rows;
	const struct sriov_attr_info *table = sriov_attr_table(&rows);

	if (strcmp(to, "00:00:00:00:00:00"))
		return sriov_attr_parse(subject, s->name, to, out);
	for (size_t i = 0; i < rows; i++)
		if (!strcmp(table[i].name, s->name))
			out->set |= table[i].bit;
	return 0;
}

static int set_attr(struct sriov *ctx, const struct sriov_pf *pf, const struct sriov_step *s,
		    const char *to)
{
	struct sriov_attrs attrs = {0};
	char subject[VF_SUBJECT];
	struct sriov_pf now;
	struct bdf bdf;

	if (!*to) /* was not known, so it cannot be put back */
		return 0;
	int err = find_vf(ctx, pf, s->vf, &bdf, subject);
	if (!err)
		err = pf_read(ctx, pf->bdf, &now) ? -ENODEV : 0;
	if (!err)
		err = parse_value(subject, s, to, &attrs);
	if (!err)
		err = attrs_check_pf(subject, &now, &attrs);
	const struct attrs_target target = {subject, ctx, &now, (unsigned)s->vf};
	return err ? err : attrs_apply(&target, &attrs);
}

static int set_driver(struct sriov *ctx, const struct sriov_pf *pf, const struct sriov_step *s,
		      const char *to)
{
	char subject[VF_SUBJECT];
	struct bdf bdf;
	int err = find_vf(ctx, pf, s->vf, &bdf, subject);

	if (err)
		return err;
	if (!strcmp(to, "default"))
		return bind_default(ctx, bdf);
	if (!strcmp(to, "none"))
		return sriov_rebind(ctx, bdf, "");
	err = sriov_bind(ctx, bdf, to, NULL);
	/* The override has done its work; vfio-pci's own stays. */
	return err ? err : sriov_rebind(ctx, bdf, to);
}

/* Of the PF itself. */
static int set_pf(struct sriov *ctx, const struct sriov_pf *pf, const struct sriov_step *s,
		  const char *to)
{
	char name[SRIOV_NAME];
	struct sriov_pf now;
	uint32_t count;

	if (!*to) /* was not known, so it cannot be put back */
		return 0;
	int err = pf_read(ctx, pf->bdf, &now);
	if (err)
		return log_fail(err, pf_name(pf, name), "gone: %s", strerror(-err));
	if (!strcmp(s->name, "eswitch"))
		return eswitch_set(ctx, &now, eswitch_parse(to));
	return parse_u32(to, 0, UINT16_MAX, &count) ?: nvme_keep(ctx, &now, count);
}

int step_do(struct sriov *ctx, const struct sriov_pf *pf, const struct sriov_step *step,
	    const char *to)
{
	switch (step->op) {
	case SRIOV_OP_WISH:
		return 0; /* the journal's own */
	case SRIOV_OP_KEEP:
		return !strcmp(step->name, "driver") ? set_driver(ctx, pf, step, to)
						     : set_attr(ctx, pf, step, to);
	case SRIOV_OP_AUTOPROBE:
		return set_autoprobe(ctx, pf, to);
	case SRIOV_OP_COUNT:
		return set_count(ctx, pf, to);
	case SRIOV_OP_ATTR:
		return set_attr(ctx, pf, step, to);
	case SRIOV_OP_DRIVER:
		return set_driver(ctx, pf, step, to);
	case SRIOV_OP_RESOURCE:
		return resource_step(ctx, pf->bdf, step, to);
	case SRIOV_OP_PF:
		return set_pf(ctx, pf, step, to);
	}
	return -EINVAL;
}

const char *step_words(const struct sriov_step *s, char text[STEP_TEXT])
{
	char vf[24] = "";

	if (s->op == SRIOV_OP_RESOURCE)
		snprintf(vf, sizeof(vf), "slice %d: ", s->vf % SRIOV_RESOURCE_KIND);
	else if (s->vf >= 0)
		snprintf(vf, sizeof(vf), "VF %d: ", s->vf);
	snprintf(text, STEP_TEXT, "%s%s %s -> %s", vf, s->name, s->before[0] ? s->before : "?",
		 s->after);
	return text;
}
