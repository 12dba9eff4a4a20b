/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_costs: see vm_costs.h. The numbers' names are KVM's. */
#include "cli/vm_costs.h"

#include <string.h>

#include "base/util.h"

static json_int_t get(const json_t *numbers, const char *name)
{
	return json_integer_value(json_object_get(numbers, name));
}

static void add(json_t *sum, const json_t *numbers)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)numbers, name, value) {
		json_object_set_new(sum, name,
				    json_integer(json_integer_value(value) + get(sum, name)));
	}
}

json_t *vm_costs_numbers(const json_t *stat)
{
	const json_t *cpus = json_object_get(stat, "cpus");
	json_t *sum = json_object();

	add(sum, json_object_get(stat, "engine"));
	for (size_t i = 0; i < json_array_size(cpus); i++)
		add(sum, json_object_get(json_array_get(cpus, i), "engine"));
	return sum;
}

json_t *vm_costs_reasons(const json_t *numbers, enum hv_caps_kind kind)
{
	json_t *rows = json_array();
	size_t count;
	const struct hv_exit_number *table = hv_exit_numbers(&count);

	for (size_t i = 0; i < count && kind != HV_CAPS_NONE; i++) {
		uint32_t code = kind == HV_CAPS_SVM ? table[i].svm : table[i].vmx;
		char name[HV_EXIT_NAME_MAX];

		if (!get(numbers, table[i].number))
			continue;
		json_t *row =
			json_pack("{s:s,s:i,s:s,s:I}", "reason",
				  hv_exit_code_name(kind, code, name), "code", (int)code, "number",
				  table[i].number, "count", get(numbers, table[i].number));
		if (table[i].note)
			json_object_set_new(row, "note", json_string(table[i].note));
		json_array_append_new(rows, row);
	}
	return rows;
}

json_t *vm_costs_pages(const json_t *numbers)
{
	if (!json_object_get(numbers, "pages_4k"))
		return NULL;
	return json_pack("{s:I,s:I,s:I}", "4k", get(numbers, "pages_4k") * (json_int_t)(4 * KIB),
			 "2m", get(numbers, "pages_2m") * (json_int_t)(2 * MIB), "1g",
			 get(numbers, "pages_1g") * (json_int_t)GIB);
}

json_t *vm_costs_polling(const json_t *numbers)
{
	if (!json_object_get(numbers, "halt_attempted_poll"))
		return NULL;
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "polls", get(numbers, "halt_attempted_poll"),
			 "good", get(numbers, "halt_successful_poll"), "good_ns",
			 get(numbers, "halt_poll_success_ns"), "vain_ns",
			 get(numbers, "halt_poll_fail_ns"), "waited_ns",
			 get(numbers, "halt_wait_ns"));
}

const char *vm_costs_irq_path(const char *mode, const char *chip, bool can_post, uint64_t taken)
{
	if (!mode || !strcmp(mode, "none"))
		return NULL;
	if (!strcmp(mode, "intx"))
		return "emulated";
	if (can_post && !taken)
		return "postable";
	return chip && !strncmp(chip, "IR-", 3) ? "remapped" : "host";
}
