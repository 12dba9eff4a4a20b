/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1000e_irq: causes, masks and moderation (82574 data sheet, 7.4 and 10.2.4).
 *
 * A cause that stands and is not masked sends one message when it begins to be so, and none again
 * until it was cleared or masked in between (`told`). With MSI-X each queue, and all other causes
 * together, have a vector by IVAR; sending it may clear the cause (EIAC) and mask it (IAM, with
 * CTRL_EXT.EIAME). Otherwise there is one message, or the INTx line, which is a level. Each vector
 * waits for its interval (EITR, ITR; units of 256 ns) between two messages; what comes earlier is
 * sent by the timer, which is the I/O thread's.
 *
 * Messages are eventfds that the engine listens to, so any thread sends them; the line needs the
 * device lock, and is the main loop's where an I/O thread changes it.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "vdev/e1000e_dev.h"

#define INTERVAL_NS 256u
#define SECOND	    UINT64_C(1000000000)

/* Which field of IVAR leads a cause to its vector: 10.2.4.9. */
static const struct {
	uint32_t cause;
	unsigned shift;
} ways[] = {
	{E1000E_ICR_RXQ0, 0},  {E1000E_ICR_RXQ1, 4},   {E1000E_ICR_TXQ0, 8},
	{E1000E_ICR_TXQ1, 12}, {E1000E_ICR_OTHER, 16},
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void signal_fd(int fd)
{
	uint64_t one = 1;
	ssize_t n = fd < 0 ? 0 : write(fd, &one, sizeof(one));

	(void)n; /* full means that it is pending */
}

static void drain(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));

	(void)n;
}

/* ---- moderation ---- */

static void arm(struct vdev_e1000e_irq *irq, uint64_t when)
{
	struct itimerspec spec = {.it_value = {(time_t)(when / SECOND), (long)(when % SECOND)}};

	if (irq->due && irq->due <= when)
		return;
	irq->due = when;
	timerfd_settime(irq->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

static uint64_t interval(const struct vdev_e1000e *dev, unsigned vector)
{
	unsigned at = vector < E1000E_VECTORS ? E1000E_EITR + 4 * vector : E1000E_ITR;

	return (uint64_t)(e1000e_get(dev, at) & 0xffff) * INTERVAL_NS;
}

/* Whether the vector may be used now; if not, the timer will see to it. */
static bool may_send(struct vdev_e1000e *dev, unsigned vector)
{
	struct vdev_e1000e_irq *irq = &dev->irq;
	uint64_t gap = interval(dev, vector), now = gap || irq->next[vector] ? now_ns() : 0;

	if (now < irq->next[vector] && gap) {
		arm(irq, irq->next[vector]);
		return false;
	}
	irq->next[vector] = gap ? now + gap : 0;
	return true;
}

/* ---- from causes to messages; irq.lock held ---- */

static void send(struct vdev_e1000e *dev, unsigned vector)
{
	signal_fd(dev->vector[vector].eventfd);
	atomic_fetch_add_explicit(&dev->irq.sent, 1, memory_order_relaxed);
}

static void send_msix(struct vdev_e1000e *dev, uint32_t live)
{
	uint32_t ivar = e1000e_get(dev, E1000E_IVAR), ext = e1000e_get(dev, E1000E_CTRL_EXT);
	struct vdev_e1000e_irq *irq = &dev->irq;

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		uint32_t way = ivar >> ways[i].shift, cause = ways[i].cause & live & ~irq->told;
		unsigned vector = way & E1000E_IVAR_VECTOR;

		if (!cause || !(way & E1000E_IVAR_VALID) || vector >= E1000E_VECTORS)
			continue;
		if (!may_send(dev, vector))
			continue;
		send(dev, vector);
		irq->told |= cause;
		if (ext & E1000E_CTRL_EXT_EIAME)
			irq->ims &= ~(cause & e1000e_get(dev, E1000E_IAM));
		irq->icr &= ~(cause & e1000e_get(dev, E1000E_EIAC));
	}
}

/* True: the line is another than before. */
static bool evaluate(struct vdev_e1000e *dev)
{
	struct vdev_e1000e_irq *irq = &dev->irq;
	uint32_t live = irq->icr & irq->ims;
	bool before = irq->line;

	irq->told &= live;
	if (irq->mode == E1000E_MSIX_MODE) {
		send_msix(dev, live);
		irq->told &= irq->icr & irq->ims;
	} else if (irq->mode == E1000E_MSI_MODE) {
		if ((live & ~irq->told) && may_send(dev, E1000E_MSI)) {
			send(dev, E1000E_MSI);
			irq->told = live;
		}
	} else if (!live) {
		irq->line = false;
	} else if (!irq->line && may_send(dev, E1000E_MSI)) {
		irq->line = true;
		atomic_fetch_add_explicit(&irq->sent, 1, memory_order_relaxed);
	}
	if (irq->mode != E1000E_INTX)
		irq->line = false;
	return irq->line != before;
}

/* ---- the line; device lock held ---- */

static void follow_line(struct vdev_e1000e *dev)
{
	struct vdev_config *c = &dev->fn.config;

	pthread_mutex_lock(&dev->irq.lock);
	bool up = dev->irq.line;
	pthread_mutex_unlock(&dev->irq.lock);
	if (up)
		c->data[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	else
		c->data[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
	if (vdev_config_get(c, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE)
		up = false;
	if (dev->fn.bridge)
		vdev_host_intx_set(&dev->fn, up);
}

static void line_event(void *opaque, uint32_t events)
{
	struct vdev_e1000e *dev = opaque;

	(void)events;
	hv_device_lock(dev->vm);
	drain(dev->irq.line_fd);
	follow_line(dev);
	hv_device_unlock(dev->vm);
}

/* ---- what changes them ---- */

static uint32_t with_others(uint32_t causes)
{
	causes &= E1000E_ICR_CAUSES;
	return causes & E1000E_ICR_OTHERS ? causes | E1000E_ICR_OTHER : causes;
}

static bool add_causes(struct vdev_e1000e *dev, uint32_t causes)
{
	pthread_mutex_lock(&dev->irq.lock);
	dev->irq.icr |= with_others(causes);
	bool changed = evaluate(dev);
	pthread_mutex_unlock(&dev->irq.lock);
	return changed;
}

void vdev_e1000e_irq_raise(struct vdev_e1000e *dev, uint32_t causes)
{
	if (causes && add_causes(dev, causes))
		signal_fd(dev->irq.line_fd);
}

void vdev_e1000e_irq_cause(struct vdev_e1000e *dev, uint32_t causes)
{
	if (add_causes(dev, causes))
		follow_line(dev);
}

void vdev_e1000e_irq_mask(struct vdev_e1000e *dev, uint32_t set, uint32_t clear)
{
	pthread_mutex_lock(&dev->irq.lock);
	dev->irq.ims = (dev->irq.ims | (set & E1000E_ICR_CAUSES)) & ~clear;
	bool changed = evaluate(dev);
	pthread_mutex_unlock(&dev->irq.lock);
	if (changed)
		follow_line(dev);
}

/* 10.2.4.1: the read clears when nothing is enabled, or an interrupt stands, for which it may mask
 * too. Messages of MSI-X are not taken back by what follows them, so that counts as standing. */
uint32_t vdev_e1000e_irq_take(struct vdev_e1000e *dev)
{
	struct vdev_e1000e_irq *irq = &dev->irq;
	bool changed = false;

	pthread_mutex_lock(&irq->lock);
	uint32_t icr = irq->icr;
	if (icr & irq->ims)
		icr |= E1000E_ICR_ASSERTED;
	if (!irq->ims || (icr & E1000E_ICR_ASSERTED) || irq->mode == E1000E_MSIX_MODE) {
		irq->icr = 0;
		if ((icr & E1000E_ICR_ASSERTED) &&
		    (e1000e_get(dev, E1000E_CTRL_EXT) & E1000E_CTRL_EXT_IAME))
			irq->ims &= ~e1000e_get(dev, E1000E_IAM);
		changed = evaluate(dev);
	}
	pthread_mutex_unlock(&irq->lock);
	if (changed)
		follow_line(dev);
	return icr;
}

void vdev_e1000e_irq_clear(struct vdev_e1000e *dev, uint32_t causes)
{
	pthread_mutex_lock(&dev->irq.lock);
	if ((dev->irq.icr & dev->irq.ims) &&
	    (e1000e_get(dev, E1000E_CTRL_EXT) & E1000E_CTRL_EXT_IAME))
		dev->irq.ims &= ~e1000e_get(dev, E1000E_IAM);
	dev->irq.icr &= ~causes;
	bool changed = evaluate(dev);
	pthread_mutex_unlock(&dev->irq.lock);
	if (changed)
		follow_line(dev);
}

void vdev_e1000e_irq_reset(struct vdev_e1000e *dev)
{
	pthread_mutex_lock(&dev->irq.lock);
	dev->irq.icr = dev->irq.ims = dev->irq.told = 0;
	memset(dev->irq.next, 0, sizeof(dev->irq.next));
	evaluate(dev);
	pthread_mutex_unlock(&dev->irq.lock);
	follow_line(dev);
}

/* ---- the timer; on the I/O thread ---- */

static void timer_event(void *opaque, uint32_t events)
{
	struct vdev_e1000e *dev = opaque;

	(void)events;
	drain(dev->irq.timer);
	pthread_mutex_lock(&dev->irq.lock);
	dev->irq.due = 0;
	bool changed = evaluate(dev);
	pthread_mutex_unlock(&dev->irq.lock);
	if (changed)
		signal_fd(dev->irq.line_fd);
}

int vdev_e1000e_irq_listen(struct vdev_e1000e *dev)
{
	if (dev->irq.timer_source)
		return 0;
	return loop_add(vdev_iothread_loop(dev->thread), dev->irq.timer, EPOLLIN, timer_event, dev,
			&dev->irq.timer_source);
}

void vdev_e1000e_irq_silence(struct vdev_e1000e *dev)
{
	loop_remove(dev->irq.timer_source);
	dev->irq.timer_source = NULL;
}

/* ---- vectors ---- */

static struct hv_msi message(const struct vdev_e1000e *dev, unsigned v)
{
	return v == E1000E_MSI ? vdev_msi_message(&dev->msi, &dev->fn.config, 0)
			       : vdev_msix_message(&dev->msix, v);
}

static bool usable(const struct vdev_e1000e *dev, unsigned v)
{
	const struct vdev_config *c = &dev->fn.config;
	struct hv_msi msi = message(dev, v);

	if (!vdev_vector_reaches_cpu(&msi))
		return false;
	if (v == E1000E_MSI)
		return dev->irq.mode == E1000E_MSI_MODE;
	return dev->irq.mode == E1000E_MSIX_MODE && !vdev_msix_masked(&dev->msix, c, v);
}

/* Routes first, in one commit; then the eventfds. */
static void sync_vectors(struct vdev_e1000e *dev, unsigned first, unsigned last)
{
	bool commit = false;

	for (unsigned v = first; v <= last; v++) {
		struct hv_msi msi = message(dev, v);

		if (!usable(dev, v))
			vdev_vector_detach(dev->vm, &dev->vector[v]);
		else if (!vdev_vector_open(dev->vm, &dev->vector[v]))
			commit |= vdev_vector_aim(dev->vm, &dev->vector[v], &msi);
	}
	if (commit && hv_route_commit(dev->vm) < 0)
		return;
	for (unsigned v = first; v <= last; v++)
		if (usable(dev, v) && dev->vector[v].route >= 0)
			vdev_vector_attach(dev->vm, &dev->vector[v]);
}

void vdev_e1000e_irq_update(struct vdev_e1000e *dev)
{
	const struct vdev_config *c = &dev->fn.config;
	enum vdev_e1000e_mode mode = vdev_msix_enabled(&dev->msix, c) ? E1000E_MSIX_MODE
				     : vdev_msi_enabled(&dev->msi, c) ? E1000E_MSI_MODE
								      : E1000E_INTX;

	pthread_mutex_lock(&dev->irq.lock);
	bool other = mode != dev->irq.mode;
	dev->irq.mode = mode;
	pthread_mutex_unlock(&dev->irq.lock);
	sync_vectors(dev, 0, E1000E_MSI);
	pthread_mutex_lock(&dev->irq.lock);
	if (other)
		dev->irq.told = 0;
	evaluate(dev);
	pthread_mutex_unlock(&dev->irq.lock);
	follow_line(dev);
}

void vdev_e1000e_irq_table_write(struct vdev_e1000e *dev, uint64_t offset, const void *data,
				 unsigned len)
{
	unsigned last, first = vdev_msix_write(&dev->msix, offset, data, len, &last);

	sync_vectors(dev, first, last);
}

bool vdev_e1000e_irq_pending(const struct vdev_e1000e *dev, unsigned v)
{
	struct pollfd ask = {.fd = dev->vector[v].eventfd, .events = POLLIN};

	return !dev->vector[v].attached && poll(&ask, 1, 0) == 1;
}

/* ---- life ---- */

void vdev_e1000e_irq_save(struct vdev_e1000e *dev, struct state *s)
{
	uint8_t pending[E1000E_VECTORS];

	for (unsigned v = 0; v < E1000E_VECTORS; v++)
		pending[v] = vdev_e1000e_irq_pending(dev, v);
	state_put(s, "icr", dev->irq.icr);
	state_put(s, "ims", dev->irq.ims);
	state_put(s, "told", dev->irq.told);
	state_put_bytes(s, "pending", pending, sizeof(pending));
	vdev_msix_save(&dev->msix, state_child(s, "msix"));
}

void vdev_e1000e_irq_load(struct vdev_e1000e *dev, struct state *s)
{
	uint8_t pending[E1000E_VECTORS] = {0};

	dev->irq.icr = (uint32_t)state_take(s, "icr", E1000E_ICR_CAUSES);
	dev->irq.ims = (uint32_t)state_take(s, "ims", E1000E_ICR_CAUSES);
	uint32_t told = (uint32_t)state_take(s, "told", E1000E_ICR_CAUSES);
	state_take_bytes(s, "pending", pending, sizeof(pending));
	vdev_msix_load(&dev->msix, state_open(s, "msix"));
	if (state_error(s))
		return;
	dev->irq.mode = vdev_msix_enabled(&dev->msix, &dev->fn.config) ? E1000E_MSIX_MODE
			: vdev_msi_enabled(&dev->msi, &dev->fn.config) ? E1000E_MSI_MODE
								       : E1000E_INTX;
	dev->irq.told = told;
	for (unsigned v = 0; v < E1000E_VECTORS; v++)
		if (pending[v])
			signal_fd(dev->vector[v].eventfd);
	vdev_e1000e_irq_update(dev);
}

int vdev_e1000e_irq_init(struct vdev_e1000e *dev)
{
	int err = 0;

	for (unsigned v = 0; v <= E1000E_MSI && !err; v++) {
		dev->vector[v].eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = dev->vector[v].eventfd < 0 ? -errno : 0;
	}
	if (!err) {
		dev->irq.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		dev->irq.line_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = dev->irq.timer < 0 || dev->irq.line_fd < 0 ? -errno : 0;
	}
	if (!err)
		err = loop_add(dev->loop, dev->irq.line_fd, EPOLLIN, line_event, dev,
			       &dev->irq.line_source);
	return err;
}

void vdev_e1000e_irq_finish(struct vdev_e1000e *dev)
{
	for (unsigned v = 0; v <= E1000E_MSI; v++)
		vdev_vector_close(dev->vm, &dev->vector[v]);
	hv_route_commit(dev->vm);
	loop_remove(dev->irq.line_source);
	io_close(&dev->irq.line_fd);
	io_close(&dev->irq.timer);
	vdev_msix_finish(&dev->msix);
}
