/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slice: see slice.h and gpu.h. A slice is kept as wishes of its GPU: "backend", "profile", "pool",
 * and its settings. What is on the machine is asked of the backends each time; what is in neither
 * is nobody's business.
 */
#include "gpu/slice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"

const struct gpu_setting gpu_settings[GPU_SETTINGS] = {
	{"memory", GPU_CAN_MEMORY, "bytes"}, {"quantum", GPU_CAN_QUANTUM, "ms"},
	{"preempt", GPU_CAN_PREEMPT, "us"},  {"priority", GPU_CAN_PRIORITY, ""},
	{"policy", GPU_CAN_POLICY, ""},	     {"params", GPU_CAN_PARAMS, ""},
	{"place", GPU_CAN_PLACE, ""},
};
#define MEMORY 0
#define PLACE  6

const char *gpu_slice_state_name(enum gpu_slice_state state)
{
	static const char *const names[] = {"free", "held", "orphaned", "foreign", "missing"};

	return names[state];
}

int slice_number(enum gpu_mode mode, int index)
{
	return (int)mode * SRIOV_RESOURCE_KIND + index;
}

char *gpu_slice_name(const struct gpu_slice *slice, char text[GPU_SLICE_NAME])
{
	if (slice->mode == GPU_WHOLE)
		snprintf(text, GPU_SLICE_NAME, "%.40s/whole", slice->gpu);
	else if (slice->index < 0)
		snprintf(text, GPU_SLICE_NAME, "%.40s/%.36s", slice->gpu, slice->vfio);
	else
		snprintf(text, GPU_SLICE_NAME, "%.40s/%s%d", slice->gpu,
			 slice->mode == GPU_MIG ? "mig" : "", slice->index);
	return text;
}

/* ---- reading ---- */

struct reading {
	struct gpu *gpu;
	const struct gpu_device *dev;
	char key[SRIOV_RESOURCE_KEY];
	struct sriov_wish *wishes;
	size_t wish_count;
	struct sriov_claim *claims;
	size_t claim_count;
	struct gpu_slice *list;
	size_t count;
};

static const char *wished(const struct reading *r, int number, const char *name)
{
	for (size_t i = 0; i < r->wish_count; i++)
		if (r->wishes[i].vf == number && !strcmp(r->wishes[i].name, name))
			return r->wishes[i].value;
	return "";
}

static struct gpu_slice *add(struct reading *r)
{
	struct gpu_slice *grown = realloc(r->list, (r->count + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	r->list = grown;
	grown[r->count] = (struct gpu_slice){.iommu_group = -1};
	return &grown[r->count++];
}

/* What is wished of it, and whose it is. */
static void complete(const struct reading *r, const struct gpu_backend *backend,
		     struct gpu_slice *s)
{
	int number = slice_number(backend->mode, s->index);

	snprintf(s->gpu, sizeof(s->gpu), "%s", r->dev->name);
	s->gpu_bdf = r->dev->bdf;
	s->mode = backend->mode;
	snprintf(s->backend, sizeof(s->backend), "%s", backend->name);
	snprintf(s->pool, sizeof(s->pool), "%.31s", wished(r, number, "pool"));
	for (size_t i = 0; i < GPU_SETTINGS; i++)
		snprintf(s->wished[i], GPU_VALUE, "%s", wished(r, number, gpu_settings[i].name));
	if (s->mode == GPU_WHOLE)
		memcpy(s->audio, r->dev->audio, sizeof(s->audio));
	for (size_t i = 0; i < r->claim_count; i++)
		if (bdf_equal(r->claims[i].bdf, s->bdf)) {
			memcpy(s->owner, r->claims[i].owner, sizeof(s->owner));
			s->state = r->claims[i].orphaned ? GPU_ORPHANED : GPU_HELD;
		}
}

/* A place without a slice is left out, as long as it is nobody's. */
static int add_found(struct reading *r, const struct gpu_backend *backend,
		     const struct gpu_found *f)
{
	int number = slice_number(backend->mode, f->slice.index);
	const char *profile = f->slice.index < 0 ? "" : wished(r, number, "profile");

	if (!*profile && !f->made)
		return 0;
	struct gpu_slice *s = add(r);
	if (!s)
		return -ENOMEM;
	*s = f->slice;
	s->state = !*profile ? GPU_FOREIGN : f->busy ? GPU_FOREIGN : GPU_FREE;
	bool other = *profile && s->profile[0] && strcmp(s->profile, profile);
	if (*profile && (f->absent || !s->profile[0] || other)) {
		s->state = GPU_MISSING;
		snprintf(s->profile, sizeof(s->profile), "%s", profile);
	}
	complete(r, backend, s);
	return 0;
}

static int read_backend(struct reading *r, const struct gpu_backend *backend)
{
	struct gpu_found *found = NULL;
	size_t count = 0;
	int err = backend->query(r->gpu, r->dev, &found, &count);

	for (size_t i = 0; i < count && !err; i++)
		err = add_found(r, backend, &found[i]);
	free(found);
	return err;
}

static bool is_listed(const struct reading *r, int number)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->list[i].index >= 0 &&
		    slice_number(r->list[i].mode, r->list[i].index) == number)
			return true;
	return false;
}

/* Wishes of which nothing is on the machine: after a boot, or with a driver that has changed. */
static int add_missing(struct reading *r)
{
	for (size_t i = 0; i < r->wish_count; i++) {
		const struct sriov_wish *w = &r->wishes[i];
		const struct gpu_backend *backend;
		if (strcmp(w->name, "profile") != 0 || is_listed(r, w->vf))
			continue;
		backend = gpu_backend_named(wished(r, w->vf, "backend"));
		struct gpu_slice *s = backend ? add(r) : NULL;
		if (!s)
			return backend ? -ENOMEM : 0;
		s->index = w->vf % SRIOV_RESOURCE_KIND;
		s->state = GPU_MISSING;
		snprintf(s->profile, sizeof(s->profile), "%s", w->value);
		complete(r, backend, s);
		s->state = GPU_MISSING;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct gpu_slice *x = a, *y = b;
	int m = slice_number(x->mode, x->index), n = slice_number(y->mode, y->index);

	return m != n ? (m > n) - (m < n) : strcmp(x->vfio, y->vfio);
}

static int reading_begin(struct reading *r, struct gpu *gpu, const struct gpu_device *dev)
{
	*r = (struct reading){.gpu = gpu, .dev = dev};
	int err = sriov_resource_key(gpu->sriov, "gpu", dev->bdf, dev->name, r->key);

	if (!err)
		err = sriov_resource_wishes(gpu->sriov, r->key, &r->wishes, &r->wish_count);
	return err ? err : sriov_claims(gpu->sriov, &r->claims, &r->claim_count);
}

static void reading_end(struct reading *r)
{
	free(r->wishes);
	free(r->claims);
	free(r->list);
}

static int read_device(struct reading *r, struct gpu *gpu, const struct gpu_device *dev)
{
	int err = reading_begin(r, gpu, dev);

	for (int mode = 0; mode < GPU_MODES && !err; mode++)
		if (dev->modes & 1u << mode)
			err = read_backend(r, gpu_backend_named(dev->backend[mode]));
	if (!err)
		err = add_missing(r);
	if (r->count)
		qsort(r->list, r->count, sizeof(*r->list), by_number);
	return err;
}

static int append_device(struct gpu *gpu, const struct gpu_device *dev, struct gpu_slice **out,
			 size_t *count)
{
	struct reading r;
	int err = read_device(&r, gpu, dev);
	struct gpu_slice *grown =
		err ? NULL : realloc(*out, (*count + r.count + 1) * sizeof(*grown));

	if (grown) {
		if (r.count)
			memcpy(grown + *count, r.list, r.count * sizeof(*grown));
		*count += r.count;
		*out = grown;
	}
	reading_end(&r);
	return err || grown ? err : -ENOMEM;
}

int gpu_slice_list(struct gpu *gpu, const struct gpu_device *device, struct gpu_slice **out,
		   size_t *count)
{
	struct gpu_device *devices = NULL;
	size_t n = 1;
	int err = device ? 0 : gpu_list(gpu, &devices, &n);

	*out = NULL;
	*count = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = append_device(gpu, device ? device : &devices[i], out, count);
	free(devices);
	if (err) {
		free(*out);
		*out = NULL;
		*count = 0;
	}
	return err;
}

int gpu_slice_find(struct gpu *gpu, const char *name, struct gpu_slice *out)
{
	struct gpu_slice *list = NULL;
	size_t count = 0;
	int err = gpu_slice_list(gpu, NULL, &list, &count);
	bool found = false;

	for (size_t i = 0; i < count && !found; i++) {
		char text[GPU_SLICE_NAME];
		found = !strcmp(gpu_slice_name(&list[i], text), name) ||
			(list[i].vfio[0] && list[i].mode == GPU_MDEV &&
			 !strcmp(list[i].vfio, name));
		if (found)
			*out = list[i];
	}
	free(list);
	if (!err && !found)
		err = log_fail(-ENOENT, name, "no such slice; see `sluice gpu slice list`");
	return err;
}

int gpu_profiles(struct gpu *gpu, const struct gpu_device *device, enum gpu_mode mode,
		 struct gpu_profile **out, size_t *count)
{
	*out = NULL;
	*count = 0;
	if (!(device->modes & 1u << mode))
		return 0;
	return gpu_backend_named(device->backend[mode])->profiles(gpu, device, out, count);
}

/* ---- one GPU for the planner ---- */

static void count_memory(struct slice_site *s)
{
	uint64_t used = 0, left = 0;

	for (size_t i = 0; i < s->slice_count; i++)
		used += s->slices[i].memory;
	for (size_t i = 0; i < s->site.profile_count; i++)
		if (s->profiles[i].available > 0)
			left = MAX(left,
				   (uint64_t)s->profiles[i].available * s->profiles[i].memory);
	s->site.total = s->dev.vram ? s->dev.vram : left ? used + left : 0;
	s->site.free = s->dev.vram ? (s->dev.vram > used ? s->dev.vram - used : 0) : left;
}

/* Whether another slice has a place: one of query()'s, or anywhere. */
static int find_place(struct gpu *gpu, struct slice_site *s, const char *profile)
{
	struct gpu_found *found = NULL;
	size_t count = 0;
	int at = -ENOSPC;

	if (!s->backend->places)
		return s->backend->place ? s->backend->place(gpu, &s->dev, profile) : -ENOSPC;
	int err = s->backend->query(gpu, &s->dev, &found, &count);
	for (size_t i = 0; i < count && !err && at < 0; i++) {
		bool ours = found[i].made || found[i].busy;
		for (size_t j = 0; j < s->slice_count && !ours; j++)
			ours = s->slices[j].index == found[i].slice.index;
		if (!ours)
			at = found[i].slice.index;
	}
	free(found);
	return err ? err : at;
}

int slice_site_read(struct gpu *gpu, const struct gpu_device *dev, enum gpu_mode mode,
		    struct slice_site *out)
{
	size_t n = 0;

	*out = (struct slice_site){.dev = *dev};
	if (!(dev->modes & 1u << mode))
		return -EOPNOTSUPP;
	out->backend = gpu_backend_named(dev->backend[mode]);
	int err = gpu_slice_list(gpu, dev, &out->slices, &n);
	for (size_t i = 0; i < n; i++)
		if (out->slices[i].mode == mode)
			out->slices[out->slice_count++] = out->slices[i];
	if (!err)
		err = out->backend->profiles(gpu, dev, &out->profiles, &out->site.profile_count);
	out->used = calloc(out->slice_count + 1, sizeof(*out->used));
	if (err || !out->used)
		return err ? err : -ENOMEM;
	for (size_t i = 0; i < out->slice_count; i++)
		out->used[i] = out->slices[i].profile;
	count_memory(out);
	out->site.name = out->dev.name;
	out->site.node = dev->numa_node;
	out->site.mode = mode;
	out->site.slices = (unsigned)out->slice_count;
	out->site.by_bytes = out->backend->can & GPU_CAN_MEMORY;
	if (out->backend->memory_free && out->backend->memory_free(gpu, dev, &out->site.free))
		out->site.by_bytes &= out->site.total > 0;
	out->site.profiles = out->profiles;
	out->site.used = out->used;
	out->site.used_count = out->slice_count;
	out->site.full = out->backend->places && find_place(gpu, out, "") < 0;
	return 0;
}

void slice_site_free(struct slice_site *site)
{
	free(site->profiles);
	free(site->slices);
	free(site->used);
}

/* ---- requests ---- */

static int take_pair(const char *subject, char *pair, struct gpu_request *out)
{
	char *equals = strchr(pair, '=');

	if (!equals || !equals[1])
		return log_fail(-EINVAL, subject, "'%.40s': not KEY=VALUE", pair);
	*equals = '\0';
	const char *value = equals + 1;
	if (!strcmp(pair, "profile")) {
		if (strlen(value) >= sizeof(out->profile) || strlen(value) >= GPU_VALUE)
			return log_fail(-EINVAL, subject, "profile '%.40s…' is too long", value);
		strcpy(out->profile, value);
		return 0;
	}
	if (!strcmp(pair, "share")) {
		char number[8];
		uint32_t share;
		snprintf(number, sizeof(number), "%.*s", (int)strcspn(value, "%"), value);
		if (parse_u32(number, 1, 100, &share))
			return log_fail(-EINVAL, subject, "share '%.40s': not 1%% to 100%%", value);
		out->share = share;
		return 0;
	}
	if (!strcmp(pair, "mode")) {
		for (int mode = 0; mode < GPU_MODES; mode++)
			if (!strcmp(value, gpu_mode_name((enum gpu_mode)mode))) {
				out->mode = mode;
				return 0;
			}
		return log_fail(-EINVAL, subject, "mode '%.40s': not whole, vf, mdev or mig",
				value);
	}
	for (size_t i = 0; i < GPU_SETTINGS; i++) {
		if (strcmp(pair, gpu_settings[i].name) != 0)
			continue;
		if (i == MEMORY && parse_size(value, 1, UINT64_MAX, &out->memory))
			return log_fail(-EINVAL, subject, "memory '%.40s': not a size such as 8G",
					value);
		if (strlen(value) >= GPU_VALUE)
			return log_fail(-EINVAL, subject, "%s '%.40s…' is too long", pair, value);
		if (i != MEMORY)
			strcpy(out->value[i], value);
		return 0;
	}
	return log_fail(-EINVAL, subject,
			"'%.40s' is no setting of a slice; there are profile, memory, share, mode, "
			"quantum, preempt, priority, policy, params and place",
			pair);
}

int gpu_request_parse(const char *subject, const char *text, struct gpu_request *out)
{
	*out = (struct gpu_request){.mode = -1};
	while (*text) {
		char pair[GPU_VALUE + 32];
		size_t len = strcspn(text, ",");
		if (len >= sizeof(pair))
			return log_fail(-EINVAL, subject, "'%.40s…' is too long", text);
		memcpy(pair, text, len);
		pair[len] = '\0';
		int err = take_pair(subject, pair, out);
		if (err)
			return err;
		text += len + (text[len] == ',');
	}
	return 0;
}

int slice_check(const struct gpu_backend *backend, const char *subject,
		const struct gpu_request *request)
{
	if (!backend)
		return log_fail(-ENODEV, subject, "no way to share it is known");
	for (size_t i = 0; i < GPU_SETTINGS; i++)
		if (i != MEMORY && request->value[i][0] && !(backend->can & gpu_settings[i].can))
			return log_fail(-EOPNOTSUPP, subject,
					"%s cannot be set: the way that it is shared (%s) has none",
					gpu_settings[i].name, backend->name);
	return 0;
}

int slice_check_users(struct gpu *gpu, const struct gpu_device *dev)
{
	struct gpu_user *users = NULL;
	size_t count = 0;
	bool all;
	int err = gpu_users(gpu, dev, &users, &count, &all);

	if (!err && count)
		err = log_fail(-EBUSY, dev->name,
			       "in use: %s (pid %d) has /dev/%s open%s; end it first",
			       users[0].comm, (int)users[0].pid, users[0].file,
			       count > 1 ? ", and others with it" : "");
	else if (!err && !all)
		err = log_fail(
			-EBUSY, dev->name,
			"not taken: not every process can be looked into, so one may be using "
			"it; run as root");
	free(users);
	return err;
}

/* ---- steps ---- */

int slice_step(struct gpu *gpu, struct bdf bdf, const struct sriov_step *step, const char *to)
{
	const char *colon = strchr(step->name, ':');
	char name[SRIOV_STEP_NAME];
	struct gpu_device dev;

	if (!colon)
		return -EINVAL;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - step->name), step->name);
	const struct gpu_backend *backend = gpu_backend_named(name);
	if (!backend || gpu_read_any(gpu, bdf, &dev))
		return -ENODEV;
	int index = step->vf % SRIOV_RESOURCE_KIND;
	if (!strcmp(colon + 1, "profile"))
		return *to ? backend->create(gpu, &dev, index, to)
			   : backend->destroy(gpu, &dev, index);
	for (size_t i = 0; i < GPU_SETTINGS; i++)
		if (!strcmp(colon + 1, gpu_settings[i].name))
			return backend->set(gpu, &dev, index, &gpu_settings[i], to);
	return -EINVAL;
}

#define STEPS (2 * GPU_SETTINGS + 8)

struct steps {
	struct sriov_step list[STEPS];
	size_t count;
	const struct gpu_backend *backend;
	int number;
};

static void add_step(struct steps *s, enum sriov_op op, const char *name, const char *before,
		     const char *after)
{
	struct sriov_step *step = &s->list[s->count++];

	*step = (struct sriov_step){.op = op, .vf = s->number};
	if (op == SRIOV_OP_RESOURCE)
		snprintf(step->name, sizeof(step->name), "%s:%s", s->backend->name, name);
	else
		snprintf(step->name, sizeof(step->name), "%s", name);
	snprintf(step->before, sizeof(step->before), "%s", before);
	snprintf(step->after, sizeof(step->after), "%s", after);
}

static void add_wish(struct steps *s, const char *name, const char *before, const char *after)
{
	if (strcmp(before, after))
		add_step(s, SRIOV_OP_WISH, name, before, after);
}

/* ---- create ---- */

/* The way that is asked for; else parts before the whole. */
static int choose_site(struct gpu *gpu, const struct gpu_device *dev,
		       const struct gpu_request *request, struct slice_site *out)
{
	static const enum gpu_mode order[] = {GPU_VF, GPU_MDEV, GPU_WHOLE};
	const char *why = "";

	if (request->mode >= 0) {
		int err = slice_site_read(gpu, dev, (enum gpu_mode)request->mode, out);
		if (err == -EOPNOTSUPP)
			log_error(dev->name, "cannot be shared as %s: %s",
				  gpu_mode_name((enum gpu_mode)request->mode),
				  dev->why_not[request->mode]);
		return err;
	}
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (dev->modes & 1u << order[i])
			return slice_site_read(gpu, dev, order[i], out);
		why = dev->why_not[order[i]];
	}
	*out = (struct slice_site){.dev = *dev};
	return log_fail(-EOPNOTSUPP, dev->name, "cannot be shared: %s", why);
}

struct creation {
	struct slice_site site;
	struct place_choice choice;
	int index;
	struct steps steps;
	char key[SRIOV_RESOURCE_KEY];
};

/* Who of its siblings is in the way, for the refusal. */
static void name_sibling(const struct slice_site *s, char text[GPU_SLICE_NAME + 160])
{
	text[0] = '\0';
	for (size_t i = 0; i < s->slice_count && !text[0]; i++) {
		char name[GPU_SLICE_NAME];
		gpu_slice_name(&s->slices[i], name);
		snprintf(text, GPU_SLICE_NAME + 160, "; slice %s has '%.30s'%s%.30s", name,
			 s->slices[i].profile, s->slices[i].owner[0] ? ", of vm " : "",
			 s->slices[i].owner);
	}
}

static void add_creation(struct creation *c, const struct gpu_request *r, const char *pool)
{
	struct steps *s = &c->steps;
	char bytes[32];

	s->backend = c->site.backend;
	s->number = slice_number(c->site.site.mode, c->index);
	add_wish(s, "backend", "", s->backend->name);
	add_wish(s, "profile", "", c->choice.profile->name);
	add_wish(s, "pool", "", pool);
	snprintf(bytes, sizeof(bytes), "%" PRIu64, r->memory);
	bool memory = r->memory && (s->backend->can & GPU_CAN_MEMORY);
	if (memory)
		add_wish(s, "memory", "", bytes);
	for (size_t i = 1; i < GPU_SETTINGS; i++)
		add_wish(s, gpu_settings[i].name, "", r->value[i]);
	if (r->value[PLACE][0]) /* where it shall be is told before it is there */
		add_step(s, SRIOV_OP_RESOURCE, "place", "", r->value[PLACE]);
	add_step(s, SRIOV_OP_RESOURCE, "profile", "", c->choice.profile->name);
	if (memory)
		add_step(s, SRIOV_OP_RESOURCE, "memory", "0", bytes);
	for (size_t i = 1; i < PLACE; i++)
		if (r->value[i][0])
			add_step(s, SRIOV_OP_RESOURCE, gpu_settings[i].name, "", r->value[i]);
}

static int plan_creation(struct gpu *gpu, const struct gpu_device *dev,
			 const struct gpu_request *request, const char *pool, struct creation *c)
{
	char sibling[GPU_SLICE_NAME + 160];
	int err = choose_site(gpu, dev, request, &c->site);

	if (!err)
		err = slice_check(c->site.backend, dev->name, request);
	if (err)
		return err;
	err = place_slice(&c->site.site, 1, request, GPU_BINPACK, -1, &c->choice);
	if (err) {
		name_sibling(&c->site, sibling);
		return log_fail(err, dev->name, "no slice made: %s%s", c->choice.why,
				err == -ENOENT ? "" : sibling);
	}
	if (c->site.site.mode == GPU_WHOLE)
		err = slice_check_users(gpu, dev);
	if (!err) {
		c->index = find_place(gpu, &c->site, c->choice.profile->name);
		if (c->index < 0)
			err = log_fail(c->index, dev->name,
				       "no slice made: no place is left for '%s'",
				       c->choice.profile->name);
	}
	if (!err)
		err = sriov_resource_key(gpu->sriov, "gpu", dev->bdf, dev->name, c->key);
	if (!err)
		add_creation(c, request, pool);
	return err;
}

static int find_in(struct gpu *gpu, const struct gpu_device *dev, int number, struct gpu_slice *out)
{
	struct gpu_slice *list = NULL;
	size_t count = 0;
	int err = gpu_slice_list(gpu, dev, &list, &count);
	bool found = false;

	for (size_t i = 0; i < count && !found; i++) {
		found = list[i].index >= 0 && slice_number(list[i].mode, list[i].index) == number;
		if (found)
			*out = list[i];
	}
	free(list);
	return err || found ? err : -ENOENT;
}

static int create_locked(struct gpu *gpu, const struct gpu_device *dev,
			 const struct gpu_request *request, const char *pool, struct gpu_slice *out)
{
	struct creation c = {.index = -1};
	struct gpu_device now; /* it may have changed before we had the lock */
	int err = gpu_find(gpu, dev->name, &now);

	if (!err)
		err = plan_creation(gpu, &now, request, pool, &c);
	if (!err)
		err = sriov_resource_change(gpu->sriov, now.bdf, now.name, c.key, c.steps.list,
					    c.steps.count, "gpu slice create");
	if (!err)
		err = find_in(gpu, &now, c.steps.number, out);
	slice_site_free(&c.site);
	return err;
}

int gpu_slice_create(struct gpu *gpu, const struct gpu_device *device,
		     const struct gpu_request *request, const char *pool, struct gpu_slice *out)
{
	int err = sriov_resource_lock(gpu->sriov, device->bdf);

	if (err < 0)
		return err;
	err = create_locked(gpu, device, request, pool, out);
	sriov_resource_unlock(gpu->sriov);
	return err;
}

int gpu_slice_plan(struct gpu *gpu, const struct gpu_device *device,
		   const struct gpu_request *request,
		   void (*tell)(const char *what, const char *before, const char *after,
				const char *effect, void *opaque),
		   void *opaque)
{
	struct creation c = {.index = -1};
	int err = plan_creation(gpu, device, request, "", &c);

	for (size_t i = 0; i < c.steps.count && !err; i++)
		if (c.steps.list[i].op == SRIOV_OP_RESOURCE)
			tell(c.steps.list[i].name, c.steps.list[i].before, c.steps.list[i].after,
			     c.site.site.mode == GPU_WHOLE ? "the host loses it" : "safe", opaque);
	slice_site_free(&c.site);
	return err;
}

/* ---- set ---- */

static int refuse_held(const struct gpu_slice *s, const char *what)
{
	char name[GPU_SLICE_NAME];

	gpu_slice_name(s, name);
	if (s->state == GPU_FOREIGN)
		return log_fail(-EPERM, name, "%s: it was not made by sluice", what);
	if (s->state == GPU_HELD)
		return log_fail(-EBUSY, name, "%s: vm %s has it; stop it, or detach it, first",
				what, s->owner);
	if (s->state == GPU_ORPHANED)
		return log_fail(-EBUSY, name,
				"%s: left over from vm %s; `sluice gpu release %s` first", what,
				s->owner, name);
	return 0;
}

static bool is_live(size_t setting)
{
	return gpu_settings[setting].can & (GPU_CAN_QUANTUM | GPU_CAN_PREEMPT | GPU_CAN_PRIORITY);
}

/* Another profile must be one that can be made beside the siblings as they are. */
static int check_profile(struct gpu *gpu, const struct gpu_device *dev, const struct gpu_slice *s,
			 const char *profile)
{
	char name[GPU_SLICE_NAME], others[256] = "";
	struct slice_site site;
	size_t used = 0;
	bool known = false, left = false;
	int err = slice_site_read(gpu, dev, s->mode, &site);

	for (size_t i = 0; !err && i < site.site.profile_count; i++)
		if (!strcmp(site.profiles[i].name, profile)) {
			known = true;
			left = site.profiles[i].available;
		}
	for (size_t i = 0; !err && i < site.slice_count && used < sizeof(others); i++)
		if (site.slices[i].index != s->index)
			used += (size_t)snprintf(others + used, sizeof(others) - used, "%s%s",
						 used ? ", " : "",
						 gpu_slice_name(&site.slices[i], name));
	slice_site_free(&site);
	if (err || (known && left))
		return err;
	gpu_slice_name(s, name);
	return used ? log_fail(-EBUSY, name,
			       "'%s' cannot be made beside the others; stop and destroy first: %s",
			       profile, others)
		    : log_fail(known ? -ENOSPC : -ENOENT, name, "'%s' %s", profile,
			       known ? "does not fit" : "is no profile that the driver offers");
}

static int add_settings(struct steps *steps, const struct gpu_slice *s, const struct gpu_request *r)
{
	char bytes[32], name[GPU_SLICE_NAME];

	snprintf(bytes, sizeof(bytes), "%" PRIu64, r->memory);
	for (size_t i = 0; i < GPU_SETTINGS; i++) {
		const char *value = i == MEMORY ? (r->memory ? bytes : "") : r->value[i];
		if (!*value)
			continue;
		bool live = is_live(i) && (steps->backend->can & GPU_CAN_LIVE);
		int err = live && s->state == GPU_HELD ? 0 : refuse_held(s, "its settings stay");
		if (!err && !(steps->backend->can & gpu_settings[i].can))
			err = log_fail(-EOPNOTSUPP, gpu_slice_name(s, name), "%s has no %s",
				       steps->backend->name, gpu_settings[i].name);
		if (err)
			return err;
		add_wish(steps, gpu_settings[i].name, s->wished[i], value);
		add_step(steps, SRIOV_OP_RESOURCE, gpu_settings[i].name, s->value[i], value);
	}
	return 0;
}

static int set_locked(struct gpu *gpu, const struct gpu_slice *slice,
		      const struct gpu_request *request)
{
	struct steps steps = {.number = slice_number(slice->mode, slice->index)};
	char key[SRIOV_RESOURCE_KEY];
	struct gpu_device dev;
	struct gpu_slice s;
	int err = gpu_find(gpu, slice->gpu, &dev);

	if (!err)
		err = find_in(gpu, &dev, steps.number, &s);
	if (!err)
		err = sriov_resource_key(gpu->sriov, "gpu", dev.bdf, dev.name, key);
	if (err)
		return err;
	steps.backend = gpu_backend_named(s.backend);
	if (request->profile[0] && strcmp(request->profile, s.profile)) {
		err = refuse_held(&s, "its profile stays");
		if (!err)
			err = check_profile(gpu, &dev, &s, request->profile);
		add_wish(&steps, "profile", s.profile, request->profile);
		add_step(&steps, SRIOV_OP_RESOURCE, "profile", s.profile, request->profile);
	}
	if (!err)
		err = add_settings(&steps, &s, request);
	return err ? err
		   : sriov_resource_change(gpu->sriov, dev.bdf, dev.name, key, steps.list,
					   steps.count, "gpu slice set");
}

int gpu_slice_set(struct gpu *gpu, const struct gpu_slice *slice, const struct gpu_request *request)
{
	int err = sriov_resource_lock(gpu->sriov, slice->gpu_bdf);

	if (err < 0)
		return err;
	err = set_locked(gpu, slice, request);
	sriov_resource_unlock(gpu->sriov);
	return err;
}

/* ---- destroy ---- */

/* What a VF keeps when its slice is gone would be the next one's. */
static const char *neutral(size_t setting)
{
	return !strcmp(gpu_settings[setting].name, "priority") ? "low" : "0";
}

static int destroy_locked(struct gpu *gpu, const struct gpu_slice *slice)
{
	struct steps steps = {.number = slice_number(slice->mode, slice->index)};
	char key[SRIOV_RESOURCE_KEY];
	struct gpu_device dev;
	struct gpu_slice s = *slice;
	int err = gpu_find(gpu, slice->gpu, &dev);

	if (!err && slice->index >= 0)
		err = find_in(gpu, &dev, steps.number, &s);
	if (!err)
		err = refuse_held(&s, "not destroyed");
	if (!err)
		err = sriov_resource_key(gpu->sriov, "gpu", dev.bdf, dev.name, key);
	if (err)
		return err;
	steps.backend = gpu_backend_named(s.backend);
	add_wish(&steps, "backend", s.backend, "");
	add_wish(&steps, "profile", s.profile, "");
	add_wish(&steps, "pool", s.pool, "");
	for (size_t i = 0; i < GPU_SETTINGS; i++)
		add_wish(&steps, gpu_settings[i].name, s.wished[i], "");
	for (size_t i = 0; i < 4; i++) /* memory, quantum, preempt, priority */
		if (s.wished[i][0] && s.state != GPU_MISSING)
			add_step(&steps, SRIOV_OP_RESOURCE, gpu_settings[i].name, s.value[i],
				 neutral(i));
	add_step(&steps, SRIOV_OP_RESOURCE, "profile", s.state == GPU_MISSING ? "" : s.profile, "");
	return sriov_resource_change(gpu->sriov, dev.bdf, dev.name, key, steps.list, steps.count,
				     "gpu slice destroy");
}

int gpu_slice_destroy(struct gpu *gpu, const struct gpu_slice *slice)
{
	int err = sriov_resource_lock(gpu->sriov, slice->gpu_bdf);

	if (err < 0)
		return err;
	err = destroy_locked(gpu, slice);
	sriov_resource_unlock(gpu->sriov);
	return err;
}

int gpu_slice_reset(struct gpu *gpu, const struct gpu_slice *slice, enum gpu_scrub *scrub,
		    char words[GPU_WHY])
{
	const struct gpu_backend *backend = gpu_backend_named(slice->backend);
	struct gpu_device dev;
	int err = gpu_find(gpu, slice->gpu, &dev);

	*scrub = GPU_SCRUB_NONE;
	snprintf(words, GPU_WHY, "%s has no reset for a slice", slice->backend);
	if (!err)
		err = refuse_held(slice, "not reset");
	return err || !backend || !backend->reset ? err
						  : backend->reset(gpu, &dev, slice, scrub, words);
}

/* ---- as wished ---- */

static void add_differences(struct steps *steps, const struct gpu_slice *s)
{
	if (s->state == GPU_MISSING) {
		if (s->wished[PLACE][0])
			add_step(steps, SRIOV_OP_RESOURCE, "place", "", s->wished[PLACE]);
		add_step(steps, SRIOV_OP_RESOURCE, "profile", "", s->profile);
	}
	for (size_t i = 0; i < PLACE; i++)
		if (s->wished[i][0] && strcmp(s->wished[i], s->value[i]))
			add_step(steps, SRIOV_OP_RESOURCE, gpu_settings[i].name, s->value[i],
				 s->wished[i]);
}

int slice_apply(struct gpu *gpu, const struct gpu_device *dev, bool dry,
		void (*tell)(const char *subject, const char *what, const char *before,
			     const char *after, void *opaque),
		void *opaque)
{
	char key[SRIOV_RESOURCE_KEY], name[GPU_SLICE_NAME];
	struct gpu_slice *list = NULL;
	size_t count = 0;
	int changed = 0, bad = 0;
	int err = sriov_resource_key(gpu->sriov, "gpu", dev->bdf, dev->name, key);

	if (!err)
		err = gpu_slice_list(gpu, dev, &list, &count);
	for (size_t i = 0; i < count && !err; i++) {
		const struct gpu_slice *s = &list[i];
		struct steps steps = {.backend = gpu_backend_named(s->backend)};
		if (s->index < 0 || s->state == GPU_FOREIGN)
			continue;
		steps.number = slice_number(s->mode, s->index);
		add_differences(&steps, s);
		for (size_t j = 0; j < steps.count; j++)
			tell(gpu_slice_name(s, name), strchr(steps.list[j].name, ':') + 1,
			     steps.list[j].before, steps.list[j].after, opaque);
		changed += steps.count > 0;
		/* One that cannot be had does not keep the others. */
		if (!dry && steps.count &&
		    sriov_resource_change(gpu->sriov, dev->bdf, dev->name, key, steps.list,
					  steps.count, "apply"))
			bad = -EIO;
	}
	free(list);
	return err ? err : bad ? bad : changed;
}
