/* SPDX-License-Identifier: BSD-3-Clause */
/* serial_test: the 16550A as a guest's driver uses it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/serial_reg.h>
#include <string.h>

#include "tests/vdev/rig.h"

static int setup(void **state)
{
	*state = rig_create(NULL);
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(*state);
	return 0;
}

static uint8_t in(struct rig *rig, unsigned reg)
{
	return (uint8_t)fake_hv_read(rig->vm, HV_PIO, 0x3f8 + reg, 1);
}

static void out(struct rig *rig, unsigned reg, unsigned value)
{
	fake_hv_write(rig->vm, HV_PIO, 0x3f8 + reg, value, 1);
}

static void test_output_is_batched(void **state)
{
	struct rig *rig = *state;
	const char *text = "one line\n";

	for (const char *p = text; *p; p++) {
		assert_int_equal(in(rig, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
		out(rig, UART_TX, (unsigned char)*p);
	}
	assert_int_equal(rig->calls, 0);
	rig_spin(rig);
	assert_int_equal(rig->calls, 1);
	assert_int_equal(rig->out_len, strlen(text));
	assert_memory_equal(rig->out, text, strlen(text));
	/* more than the buffer holds is not lost, even if the loop never runs */
	for (unsigned i = 0; i < 3000; i++)
		out(rig, UART_TX, 'x');
	rig_spin(rig);
	assert_int_equal(rig->out_len, strlen(text) + 3000);
}

/* What the Linux driver does to find out what it has (autoconfig). */
static void test_probe(void **state)
{
	struct rig *rig = *state;

	out(rig, UART_IER, 0);
	assert_int_equal(in(rig, UART_IER) & 0x0f, 0);
	out(rig, UART_IER, 0x0f);
	assert_int_equal(in(rig, UART_IER) & 0x0f, 0x0f);
	out(rig, UART_IER, 0);
	out(rig, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(in(rig, UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(rig, UART_MCR, 0);
	out(rig, UART_FCR, UART_FCR_ENABLE_FIFO);
	assert_int_equal(in(rig, UART_IIR) & 0xc0, 0xc0);
	out(rig, UART_FCR, 0);
	assert_int_equal(in(rig, UART_IIR) & 0xc0, 0);
	out(rig, UART_SCR, 0x5a);
	assert_int_equal(in(rig, UART_SCR), 0x5a);
	out(rig, UART_LCR, UART_LCR_DLAB);
	out(rig, UART_DLL, 1);
	out(rig, UART_DLM, 2);
	assert_int_equal(in(rig, UART_DLL), 1);
	assert_int_equal(in(rig, UART_DLM), 2);
	out(rig, UART_LCR, 3);
	rig_spin(rig);
	assert_int_equal(rig->out_len, 0); /* the divisor was not sent */
}

static void test_loopback(void **state)
{
	struct rig *rig = *state;

	out(rig, UART_FCR, UART_FCR_ENABLE_FIFO);
	out(rig, UART_MCR, UART_MCR_LOOP);
	for (unsigned i = 0; i < 17; i++)
		out(rig, UART_TX, 'a' + i);
	rig_spin(rig);
	assert_int_equal(rig->out_len, 0);
	assert_true(in(rig, UART_LSR) & UART_LSR_OE); /* the 17th found the FIFO full */
	assert_false(in(rig, UART_LSR) & UART_LSR_OE);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(in(rig, UART_RX), 'a' + i);
	assert_false(in(rig, UART_LSR) & UART_LSR_DR);
	assert_int_equal(vdev_serial_in(rig->machine, (const uint8_t *)"z", 1), 0);
	out(rig, UART_MCR, 0);
	assert_int_equal(rig->rooms, 1);
}

static void test_receive(void **state)
{
	struct rig *rig = *state;
	uint8_t bytes[20];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(vdev_serial_in(rig->machine, bytes, 20), 1); /* no FIFO yet */
	in(rig, UART_RX);
	assert_int_equal(rig->rooms, 1);
	out(rig, UART_FCR, UART_FCR_ENABLE_FIFO);
	out(rig, UART_MCR, UART_MCR_OUT2);
	out(rig, UART_IER, UART_IER_RDI);
	assert_int_equal(rig->vm->edges[4], 0);
	assert_int_equal(vdev_serial_in(rig->machine, bytes, 20), 16);
	assert_true(rig->vm->level[4]);
	assert_int_equal(in(rig, UART_IIR) & 0x0f, UART_IIR_RDI);
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(rig->rooms, 1);
		assert_int_equal(in(rig, UART_RX), i);
	}
	assert_int_equal(rig->rooms, 2);
	assert_false(rig->vm->level[4]);
	assert_int_equal(in(rig, UART_IIR) & 0x0f, UART_IIR_NO_INT);
	assert_int_equal(in(rig, UART_RX), 0);
}

/* Each batch written makes one edge; reading the cause takes it down. */
static void test_transmit_interrupt(void **state)
{
	struct rig *rig = *state;

	out(rig, UART_IER, UART_IER_THRI);
	assert_int_equal(rig->vm->edges[4], 0); /* OUT2 gates the line */
	out(rig, UART_MCR, UART_MCR_OUT2);
	assert_int_equal(rig->vm->edges[4], 1);
	assert_int_equal(in(rig, UART_IIR) & 0x0f, UART_IIR_THRI);
	assert_false(rig->vm->level[4]);
	for (unsigned i = 0; i < 16; i++)
		out(rig, UART_TX, 'x');
	assert_int_equal(rig->vm->edges[4], 2);
	assert_int_equal(in(rig, UART_IIR) & 0x0f, UART_IIR_THRI);
	assert_int_equal(in(rig, UART_IIR) & 0x0f, UART_IIR_NO_INT);
	out(rig, UART_IER, 0);
	out(rig, UART_IER, UART_IER_THRI);
	assert_int_equal(rig->vm->edges[4], 3);
}

static void test_reset(void **state)
{
	struct rig *rig = *state;

	out(rig, UART_MCR, UART_MCR_OUT2);
	out(rig, UART_IER, UART_IER_THRI);
	out(rig, UART_TX, 'x');
	assert_int_equal(vdev_machine_reset(rig->machine), 0);
	assert_int_equal(rig->out_len, 1);
	assert_false(rig->vm->level[4]);
	assert_int_equal(in(rig, UART_IER), 0);
}

static void test_any_access(void **state)
{
	struct rig *rig = *state;
	uint32_t seed = 7;

	for (unsigned i = 0; i < 200000; i++) {
		seed = seed * 1664525 + 1013904223;
		unsigned len = 1u << (seed >> 28 & 3), reg = seed >> 24 & 7;

		if (len > 4)
			len = 4;
		if (seed >> 23 & 1)
			fake_hv_write(rig->vm, HV_PIO, 0x3f8 + reg, seed, len);
		else
			fake_hv_read(rig->vm, HV_PIO, 0x3f8 + reg, len);
		if ((seed & 0xff) == 0)
			vdev_serial_in(rig->machine, (const uint8_t *)&seed, 4);
	}
	assert_int_equal(rig->vm->locked, 0);
	assert_int_equal(vdev_machine_reset(rig->machine), 0);
	assert_int_equal(in(rig, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_output_is_batched, setup, teardown),
		cmocka_unit_test_setup_teardown(test_probe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loopback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transmit_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_access, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
