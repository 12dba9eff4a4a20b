/* SPDX-License-Identifier: BSD-3-Clause */
/* trace_slice: see trace_slice.h. */
#include "cli/trace_slice.h"

#include <errno.h>
#include <string.h>

#include "hv-core/hv.h"

/* The region that holds the address; "" when none does. */
static const char *region_of(const json_t *regions, const char *space, json_int_t addr)
{
	for (size_t i = 0; i < json_array_size(regions); i++) {
		const json_t *region = json_array_get(regions, i);
		const char *in = json_string_value(json_object_get(region, "space"));
		const char *name = json_string_value(json_object_get(region, "name"));
		json_int_t base = json_integer_value(json_object_get(region, "base"));
		json_int_t size = json_integer_value(json_object_get(region, "size"));

		if (in && name && !strcmp(in, space) && addr >= base && addr - base < size)
			return name;
	}
	return "";
}

int trace_slice_read(const json_t *event, const json_t *regions, struct trace_slice *out)
{
	json_int_t start, ns, addr;
	int cpu, reason;

	if (json_unpack((json_t *)(uintptr_t)event, "[I,I,i,i,I]", &start, &ns, &cpu, &reason,
			&addr) ||
	    cpu < 0 || start < 0 || ns < 0)
		return -EINVAL;
	*out = (struct trace_slice){
		.start = (uint64_t)start,
		.ns = (uint64_t)ns,
		.cpu = (unsigned)cpu,
		.word = hv_exit_name((enum hv_exit_reason)reason),
		.region = "",
		.access = reason <= HV_EXIT_MMIO_WRITE,
		.addr = (uint64_t)addr,
	};
	if (out->access)
		out->region = region_of(regions, reason <= HV_EXIT_IO_WRITE ? "io" : "mmio", addr);
	return 0;
}
