/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial: a 16550A UART (National Semiconductor PC16550D data sheet) at 0x3f8, I/O APIC input 4.
 *
 * Sending is instant: a byte written is gone, so the line status always says that the transmitter
 * is empty. Bytes are gathered and handed out by the event loop, which the first byte wakes: a
 * line of text costs one wake-up and one call, however many exits wrote it. The baud rate is kept
 * and ignored.
 */
#include "vdev/serial.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define FIFO_SIZE 16u
#define OUT_SIZE  1024u

struct vdev_serial {
	struct vdev_serial_config config;
	struct hv_region *region;

	uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
	uint8_t lsr_errors; /* overrun; read once */
	uint8_t msr_delta;
	bool thr_pending; /* "transmitter empty" not yet seen through IIR */
	bool line;	  /* what the interrupt input was last told */
	bool refused;	  /* somebody waits for room in the FIFO */

	uint8_t fifo[FIFO_SIZE];
	unsigned head, count;

	uint8_t out[OUT_SIZE];
	size_t out_len;
	int wake; /* eventfd: `out` is not empty */
	struct loop_source *source;
};

/* The registers, and what they can hold. */
static const struct {
	const char *name;
	size_t at;
	uint8_t max;
} saved[] = {
	{"ier", offsetof(struct vdev_serial, ier), 0x0f},
	{"lcr", offsetof(struct vdev_serial, lcr), 0xff},
	{"mcr", offsetof(struct vdev_serial, mcr), 0x1f},
	{"scr", offsetof(struct vdev_serial, scr), 0xff},
	{"fcr", offsetof(struct vdev_serial, fcr), 0xff},
	{"dll", offsetof(struct vdev_serial, dll), 0xff},
	{"dlm", offsetof(struct vdev_serial, dlm), 0xff},
	{"lsr_errors", offsetof(struct vdev_serial, lsr_errors), UART_LSR_OE},
	{"msr_delta", offsetof(struct vdev_serial, msr_delta), 0x0f},
};

/* ---- output ---- */

static void flush(struct vdev_serial *s)
{
	size_t len = s->out_len;

	s->out_len = 0;
	if (len)
		s->config.out(s->config.opaque, s->out, len);
}

static void on_wake(void *opaque, uint32_t events)
{
	struct vdev_serial *s = opaque;
	uint64_t count;

	(void)events;
	hv_device_lock(s->config.vm);
	if (read(s->wake, &count, sizeof(count)) == (ssize_t)sizeof(count))
		flush(s);
	hv_device_unlock(s->config.vm);
}

static void send_byte(struct vdev_serial *s, uint8_t byte)
{
	if (s->out_len == OUT_SIZE)
		flush(s);
	if (!s->out_len && eventfd_write(s->wake, 1) < 0)
		flush(s); /* the counter is full: then the loop wakes anyway */
	s->out[s->out_len++] = byte;
}

/* ---- interrupts ---- */

static unsigned capacity(const struct vdev_serial *s)
{
	return s->fcr & UART_FCR_ENABLE_FIFO ? FIFO_SIZE : 1;
}

/* Highest priority first (data sheet, table 4). Received data counts from the first byte: the
 * trigger level only saves interrupts that would come one exit apart, and the time-out interrupt,
 * which it needs, would follow at once. */
static uint8_t pending(const struct vdev_serial *s)
{
	if ((s->ier & UART_IER_RLSI) && s->lsr_errors)
		return UART_IIR_RLSI;
	if ((s->ier & UART_IER_RDI) && s->count)
		return UART_IIR_RDI;
	if ((s->ier & UART_IER_THRI) && s->thr_pending)
		return UART_IIR_THRI;
	if ((s->ier & UART_IER_MSI) && s->msr_delta)
		return UART_IIR_MSI;
	return UART_IIR_NO_INT;
}

static void update_line(struct vdev_serial *s)
{
	bool open = (s->mcr & UART_MCR_OUT2) && !(s->mcr & UART_MCR_LOOP);
	bool line = open && pending(s) != UART_IIR_NO_INT;

	if (line == s->line)
		return;
	s->line = line;
	hv_irq_set(s->config.vm, VDEV_SERIAL_GSI, line);
}

/* ---- registers ---- */

static void push(struct vdev_serial *s, uint8_t byte)
{
	if (s->count == capacity(s)) {
		s->lsr_errors |= UART_LSR_OE;
		return;
	}
	s->fifo[(s->head + s->count++) % FIFO_SIZE] = byte;
}

static void offer_room(struct vdev_serial *s)
{
	if (!s->refused || s->count || (s->mcr & UART_MCR_LOOP))
		return;
	s->refused = false;
	s->config.room(s->config.opaque);
}

static uint8_t read_rbr(struct vdev_serial *s)
{
	uint8_t byte = 0;

	if (s->count) {
		byte = s->fifo[s->head];
		s->head = (s->head + 1) % FIFO_SIZE;
		s->count--;
	}
	offer_room(s);
	return byte;
}

static uint8_t read_iir(struct vdev_serial *s)
{
	uint8_t cause = pending(s);

	if (cause == UART_IIR_THRI)
		s->thr_pending = false;
	return cause | (s->fcr & UART_FCR_ENABLE_FIFO ? 0xc0 : 0);
}

static uint8_t read_lsr(struct vdev_serial *s)
{
	uint8_t value = UART_LSR_THRE | UART_LSR_TEMT | s->lsr_errors;

	s->lsr_errors = 0;
	return (uint8_t)(value | (s->count ? UART_LSR_DR : 0));
}

/* In loopback the four modem outputs feed the four inputs (data sheet, 8.6.4). */
static uint8_t modem_lines(const struct vdev_serial *s)
{
	if (!(s->mcr & UART_MCR_LOOP))
		return UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
	return (uint8_t)((s->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
			 (s->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
			 (s->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
			 (s->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0));
}

static uint8_t read_msr(struct vdev_serial *s)
{
	uint8_t value = modem_lines(s) | s->msr_delta;

	s->msr_delta = 0;
	return value;
}

static uint8_t read_register(struct vdev_serial *s, unsigned reg)
{
	bool dlab = s->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_RX:
		return dlab ? s->dll : read_rbr(s);
	case UART_IER:
		return dlab ? s->dlm : s->ier;
	case UART_IIR:
		return read_iir(s);
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		return read_lsr(s);
	case UART_MSR:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void write_thr(struct vdev_serial *s, uint8_t value)
{
	if (s->mcr & UART_MCR_LOOP)
		push(s, value);
	else
		send_byte(s, value);
	s->thr_pending = true;
}

static void write_ier(struct vdev_serial *s, uint8_t value)
{
	/* turning the interrupt on while the transmitter is empty raises it (data sheet, 8.5) */
	if (~s->ier & value & UART_IER_THRI)
		s->thr_pending = true;
	s->ier = value & 0x0f;
}

static void write_fcr(struct vdev_serial *s, uint8_t value)
{
	bool toggled = (s->fcr ^ value) & UART_FCR_ENABLE_FIFO;

	if (toggled || (value & UART_FCR_CLEAR_RCVR))
		s->head = s->count = 0;
	s->fcr = value & (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK);
	offer_room(s);
}

static void write_mcr(struct vdev_serial *s, uint8_t value)
{
	uint8_t before = modem_lines(s);

	s->mcr = value & 0x1f;
	uint8_t changed = before ^ modem_lines(s);
	/* delta bits 0..3 stand below their lines 4..7; RI reports only its falling edge */
	uint8_t delta = (uint8_t)(changed >> 4);
	if (!(before & UART_MSR_RI))
		delta &= (uint8_t)~UART_MSR_TERI;
	s->msr_delta |= delta;
	offer_room(s);
}

static void write_register(struct vdev_serial *s, unsigned reg, uint8_t value)
{
	bool dlab = s->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_TX:
		if (dlab)
			s->dll = value;
		else
			write_thr(s, value);
		break;
	case UART_IER:
		if (dlab)
			s->dlm = value;
		else
			write_ier(s, value);
		break;
	case UART_FCR:
		write_fcr(s, value);
		break;
	case UART_LCR:
		s->lcr = value;
		break;
	case UART_MCR:
		write_mcr(s, value);
		break;
	case UART_SCR:
		s->scr = value;
		break;
	default:
		break; /* LSR and MSR are read-only */
	}
}

/* The registers are one byte wide; a wider access is that many byte accesses, as on ISA. */
static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct vdev_serial *s = opaque;
	uint8_t *out = data;

	for (unsigned i = 0; i < len; i++)
		out[i] = offset + i < 8 ? read_register(s, (unsigned)offset + i) : 0xff;
	update_line(s);
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_serial *s = opaque;
	const uint8_t *in = data;

	for (unsigned i = 0; i < len && offset + i < 8; i++)
		write_register(s, (unsigned)offset + i, in[i]);
	update_line(s);
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

/* ---- the device ---- */

size_t vdev_serial_receive(struct vdev_serial *s, const uint8_t *bytes, size_t len)
{
	size_t taken = 0;

	if (s->mcr & UART_MCR_LOOP) { /* the input is cut off meanwhile: ask again later */
		s->refused = len > 0;
		return 0;
	}
	while (taken < len && s->count < capacity(s))
		push(s, bytes[taken++]);
	s->refused = taken < len;
	update_line(s);
	return taken;
}

void vdev_serial_reset(struct vdev_serial *s)
{
	flush(s);
	s->ier = s->lcr = s->mcr = s->scr = s->fcr = s->dlm = 0;
	s->dll = 12; /* 9600 baud */
	s->lsr_errors = s->msr_delta = 0;
	s->thr_pending = false;
	s->head = s->count = 0;
	offer_room(s);
	update_line(s);
}

/* What was sent is handed out: it is no part of the state. */
void vdev_serial_save(struct vdev_serial *s, struct state *out)
{
	flush(s);
	for (size_t i = 0; i < ARRAY_SIZE(saved); i++)
		state_put(out, saved[i].name, *(const uint8_t *)((const char *)s + saved[i].at));
	state_put(out, "thr_pending", s->thr_pending);
	state_put(out, "line", s->line);
	state_put_bytes(out, "fifo", s->fifo, sizeof(s->fifo));
	state_put(out, "head", s->head);
	state_put(out, "count", s->count);
}

void vdev_serial_load(struct vdev_serial *s, struct state *in)
{
	for (size_t i = 0; i < ARRAY_SIZE(saved); i++)
		*(uint8_t *)((char *)s + saved[i].at) =
			(uint8_t)state_take(in, saved[i].name, saved[i].max);
	s->thr_pending = state_take(in, "thr_pending", 1);
	s->line = state_take(in, "line", 1);
	state_take_bytes(in, "fifo", s->fifo, sizeof(s->fifo));
	s->head = (unsigned)state_take(in, "head", FIFO_SIZE - 1);
	s->count = (unsigned)state_take(in, "count", FIFO_SIZE);
}

int vdev_serial_create(const struct vdev_serial_config *config, struct vdev_serial **out)
{
	struct vdev_serial *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return log_fail(-ENOMEM, hv_vm_name(config->vm), "no memory for its serial port");
	s->config = *config;
	s->dll = 12;
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = s->wake < 0 ? -errno : 0;
	if (!err)
		err = loop_add(config->loop, s->wake, EPOLLIN, on_wake, s, &s->source);
	if (!err)
		err = hv_bus_add(config->vm, HV_PIO, "serial", VDEV_SERIAL_PORT, 8, &port_ops, s,
				 &s->region);
	if (err < 0) {
		vdev_serial_destroy(s);
		return log_fail(err, hv_vm_name(config->vm), "no serial port: %s", strerror(-err));
	}
	*out = s;
	return 0;
}

void vdev_serial_destroy(struct vdev_serial *s)
{
	if (!s)
		return;
	flush(s);
	if (s->region)
		hv_bus_remove(s->config.vm, s->region);
	loop_remove(s->source);
	io_close(&s->wake);
	free(s);
}
