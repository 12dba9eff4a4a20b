/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_trace: see vmm_trace.h. */
#include "cli/vmm_trace.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/vmm_ctl.h"

int vmm_method_timing(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	const json_t *on = json_object_get(params, "on");

	(void)error;
	if (!json_is_boolean(on))
		return -EINVAL;
	hv_timing_set(ctl->machine->vm, json_is_true(on));
	*result = json_pack("{s:b}", "on", hv_timing_get(ctl->machine->vm));
	return *result ? 0 : -ENOMEM;
}

int vmm_method_trace(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	const json_t *events = json_object_get(params, "events");

	(void)result, (void)error;
	if (!json_is_integer(events) || json_integer_value(events) < 0)
		return -EINVAL;
	/* One that was left behind by a tracer's death must not keep out the next. */
	hv_trace_stop(ctl->machine->vm);
	if (json_integer_value(events) == 0)
		return 0;
	return hv_trace_start(ctl->machine->vm, (size_t)json_integer_value(events));
}

int vmm_method_trace_read(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	struct hv_trace_event *events = calloc(TRACE_READ_MAX, sizeof(*events));
	json_t *array = json_array();
	uint64_t lost = 0;

	(void)params, (void)error;
	if (!events || !array) {
		free(events);
		json_decref(array);
		return -ENOMEM;
	}
	size_t count = hv_trace_read(ctl->machine->vm, events, TRACE_READ_MAX, &lost);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array,
				      json_pack("[I,I,i,i,I]", (json_int_t)events[i].start,
						(json_int_t)events[i].ns, (int)events[i].cpu,
						(int)events[i].reason, (json_int_t)events[i].addr));
	free(events);
	*result = json_pack("{s:o,s:I}", "events", array, "lost", (json_int_t)lost);
	return *result ? 0 : -ENOMEM;
}
