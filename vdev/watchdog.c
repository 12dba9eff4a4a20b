/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watchdog: the watchdog timer of the Intel 6300ESB I/O controller hub (its data sheet, chapter
 * 15), for which every common guest has a driver.
 *
 * Two down-counters of 20 bits run one after the other. A guest that lives reloads them in time.
 * The end of the first stage only sets a status bit (the interrupt that the hub could raise there
 * is wired to no input here); the end of the second drives the WDT_TOUT output, which is what the
 * VM was told to do about a dead guest.
 *
 *     configuration space   0x60 word   interrupt type, clock divider, output disable
 *                           0x68 byte   lock, enable, free-running
 *     BAR 0                 0x00, 0x04  preload of the first and second stage
 *                           0x08        interrupt status, cleared by writing 1
 *                           0x0c        reload (bit 8), timed out (bit 9, cleared by writing 1)
 *
 * Writing 0x80 and then 0x86 to 0x0c opens the preloads and the reload register for one write.
 *
 * The host's timer is one descriptor, in the loop for as long as the device lives: arming it is a
 * system call that any thread may make, whereas only the loop's own thread may change the loop.
 */
#include "vdev/watchdog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define VENDOR_INTEL 0x8086u
#define DEVICE_ESB   0x25abu
#define CLASS_SYSTEM 0x0880u

#define CONFIG_REG	  0x60u
#define CONFIG_MASK	  0x0027u
#define CONFIG_FAST	  0x0004u /* the PCI clock divided by 2^5 instead of 2^15 */
#define CONFIG_OUTPUT_OFF 0x0020u
#define LOCK_REG	  0x68u
#define LOCK_LOCK	  0x01u
#define LOCK_ENABLE	  0x02u
#define LOCK_FREE	  0x04u /* after the second stage, count it again */

#define PRELOAD1      0x00u
#define PRELOAD2      0x04u
#define STATUS	      0x08u
#define RELOAD	      0x0cu
#define PRELOAD_MASK  0xfffffu
#define STATUS_ACTIVE 0x01u
#define RELOAD_RELOAD 0x0100u
#define RELOAD_TOUT   0x0200u
#define KEY1	      0x80u
#define KEY2	      0x86u

#define PCI_CLOCK_NS 30u /* 33 MHz */
#define BAR_SIZE     16u
/* A guest must not keep our loop busy with a watchdog that ends a million times a second. */
#define SHORTEST_NS  UINT64_C(1000000)
#define SECOND	     UINT64_C(1000000000)

struct vdev_watchdog {
	struct vdev_function fn;
	struct hv_vm *vm;
	struct hv_region *region;
	struct loop_source *source;
	enum vdev_watchdog_action action;
	int timer;
	unsigned stage; /* 1 or 2 while it counts; 0: it does not */
	unsigned keys;	/* how many of the two were given */
	uint32_t preload[2];
	uint64_t left; /* nanoseconds of the stage, while the VM stands still */
	bool active, timed_out;
	bool complained;
};

/* ---- counting ---- */

static uint32_t config_of(const struct vdev_watchdog *dog)
{
	return vdev_config_get(&dog->fn.config, CONFIG_REG, 2);
}

static uint32_t lock_of(const struct vdev_watchdog *dog)
{
	return vdev_config_get(&dog->fn.config, LOCK_REG, 1);
}

static void arm(struct vdev_watchdog *dog, uint64_t ns)
{
	struct itimerspec when = {.it_value = {(time_t)(ns / SECOND), (long)(ns % SECOND)}};

	/* Fails for a bad time or descriptor only; these are ours. */
	timerfd_settime(dog->timer, 0, &when, NULL);
}

static void count(struct vdev_watchdog *dog, unsigned stage)
{
	unsigned divider = config_of(dog) & CONFIG_FAST ? 5 : 15;
	uint64_t ticks = (uint64_t)dog->preload[stage - 1] + 1; /* down to zero and one further */

	dog->stage = stage;
	arm(dog, MAX(ticks * PCI_CLOCK_NS << divider, SHORTEST_NS));
}

static void stop(struct vdev_watchdog *dog)
{
	dog->stage = 0;
	dog->left = 0;
	arm(dog, 0);
}

static void restart(struct vdev_watchdog *dog)
{
	if (lock_of(dog) & LOCK_ENABLE)
		count(dog, lock_of(dog) & LOCK_FREE ? 2 : 1);
}

static void bite(struct vdev_watchdog *dog)
{
	static const struct {
		enum hv_end end;
		const char *text;
	} what[] = {
		[VDEV_WATCHDOG_REPORT] = {HV_END_NONE, "it runs on"},
		[VDEV_WATCHDOG_RESET] = {HV_END_RESET, "it is reset"},
		[VDEV_WATCHDOG_POWEROFF] = {HV_END_POWEROFF, "it is turned off"},
	};

	dog->timed_out = true;
	if (config_of(dog) & CONFIG_OUTPUT_OFF)
		return;
	if (!dog->complained)
		log_warn(hv_vm_name(dog->vm), "the guest did not feed its watchdog in time; %s",
			 what[dog->action].text);
	dog->complained = true;
	if (what[dog->action].end != HV_END_NONE)
		hv_vm_end(dog->vm, what[dog->action].end);
}

static void expire(struct vdev_watchdog *dog)
{
	if (dog->stage == 1) {
		dog->active = true;
		count(dog, 2);
		return;
	}
	if (lock_of(dog) & LOCK_FREE)
		count(dog, 2);
	else
		stop(dog);
	bite(dog);
}

static void timer_event(void *opaque, uint32_t events)
{
	struct vdev_watchdog *dog = opaque;
	uint64_t times;

	(void)events;
	hv_device_lock(dog->vm);
	/* Nothing to read: it was armed anew between the event and the lock. */
	if (read(dog->timer, &times, sizeof(times)) == sizeof(times) && dog->stage)
		expire(dog);
	hv_device_unlock(dog->vm);
}

/* ---- BAR 0 ---- */

static void bar_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	const struct vdev_watchdog *dog = opaque;
	uint32_t value = 0;

	if (offset == STATUS)
		value = dog->active ? STATUS_ACTIVE : 0;
	else if (offset == RELOAD)
		value = dog->timed_out ? RELOAD_TOUT : 0;
	memset(data, 0, len);
	memcpy(data, &value, MIN(len, 4u));
}

static void write_reload(struct vdev_watchdog *dog, uint32_t value)
{
	bool open = dog->keys == 2;

	if (value == KEY1 || (value == KEY2 && dog->keys == 1)) {
		dog->keys = value == KEY1 ? 1 : 2;
		return;
	}
	dog->keys = 0;
	if (!open)
		return;
	if (value & RELOAD_TOUT)
		dog->timed_out = false;
	if (value & RELOAD_RELOAD)
		restart(dog);
}

static void bar_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_watchdog *dog = opaque;
	uint32_t value = 0;

	memcpy(&value, data, MIN(len, 4u));
	if (offset == RELOAD) {
		write_reload(dog, value);
	} else if (offset == STATUS) {
		dog->active &= !(value & STATUS_ACTIVE);
	} else if (offset == PRELOAD1 || offset == PRELOAD2) {
		if (dog->keys == 2)
			dog->preload[offset / 4] = value & PRELOAD_MASK;
		dog->keys = 0;
	}
}

static const struct hv_region_ops bar_ops = {.read = bar_read, .write = bar_write};

static int bar_map(struct vdev_function *fn, unsigned index, uint64_t gpa)
{
	struct vdev_watchdog *dog = container_of(fn, struct vdev_watchdog, fn);

	(void)index;
	return hv_bus_add(dog->vm, HV_MMIO, "watchdog", gpa, BAR_SIZE, &bar_ops, dog, &dog->region);
}

static void bar_unmap(struct vdev_function *fn, unsigned index)
{
	struct vdev_watchdog *dog = container_of(fn, struct vdev_watchdog, fn);

	(void)index;
	hv_bus_remove(dog->vm, dog->region);
}

/* ---- configuration space ---- */

static uint32_t config_read(struct vdev_function *fn, unsigned offset, unsigned len)
{
	return vdev_config_get(&fn->config, offset, len);
}

/* `lock` is the register before the write. What was locked stays so until the next reset. */
static void follow_lock(struct vdev_watchdog *dog, uint32_t lock)
{
	if (lock & LOCK_LOCK)
		vdev_config_set(&dog->fn.config, LOCK_REG, 1, lock);
	if (!((lock ^ lock_of(dog)) & LOCK_ENABLE))
		return;
	if (lock & LOCK_ENABLE)
		stop(dog);
	else
		restart(dog);
}

static void config_write(struct vdev_function *fn, unsigned offset, unsigned len, uint32_t value)
{
	struct vdev_watchdog *dog = container_of(fn, struct vdev_watchdog, fn);
	uint32_t lock = lock_of(dog);

	vdev_config_write(&fn->config, offset, len, value);
	if (vdev_config_hits(offset, len, PCI_COMMAND, 2) ||
	    vdev_config_hits(offset, len, PCI_BASE_ADDRESS_0, 4 * VDEV_BARS))
		vdev_bridge_update(fn->bridge);
	if (vdev_config_hits(offset, len, LOCK_REG, 1))
		follow_lock(dog, lock);
}

static void intx_eoi(struct vdev_function *fn)
{
	(void)fn; /* has no interrupt pin */
}

static void build(struct vdev_watchdog *dog)
{
	struct vdev_config *c = &dog->fn.config;
	uint64_t gpa = dog->fn.bar[0].gpa, firmware = dog->fn.bar[0].firmware;

	memset(c, 0, sizeof(*c));
	vdev_config_set(c, PCI_VENDOR_ID, 2, VENDOR_INTEL);
	vdev_config_set(c, PCI_DEVICE_ID, 2, DEVICE_ESB);
	vdev_config_set(c, PCI_CLASS_DEVICE, 2, CLASS_SYSTEM);
	vdev_config_allow(c, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	vdev_config_allow(c, CONFIG_REG, 2, CONFIG_MASK);
	vdev_config_allow(c, LOCK_REG, 1, LOCK_LOCK | LOCK_ENABLE | LOCK_FREE);
	vdev_bar_define(&dog->fn, 0, BAR_SIZE, false, false);
	dog->fn.bar[0].gpa = gpa; /* until firmware's work moves it */
	dog->fn.bar[0].firmware = firmware;
}

static void reset(struct vdev_function *fn)
{
	struct vdev_watchdog *dog = container_of(fn, struct vdev_watchdog, fn);

	stop(dog);
	build(dog);
	dog->preload[0] = dog->preload[1] = PRELOAD_MASK;
	dog->keys = 0;
	dog->active = dog->timed_out = false;
	if (fn->bridge)
		vdev_bridge_update(fn->bridge);
}

static void destroy(struct vdev_function *fn)
{
	vdev_watchdog_destroy(container_of(fn, struct vdev_watchdog, fn));
}

/* ---- standing still: time does not pass ---- */

static int quiesce(struct vdev_function *fn)
{
	struct vdev_watchdog *dog = container_of(fn, struct vdev_watchdog, fn);
	struct itimerspec now;

	if (dog->left || !dog->stage)
		return 0;
	timerfd_gettime(dog->timer, &now);
	dog->left = (uint64_t)now.it_value.tv_sec * SECOND + (uint64_t)now.it_value.tv_nsec;
	dog->left = MAX(dog->left, SHORTEST_NS);
	arm(dog, 0);
	return 0;
}

static void resume(struct vdev_function *fn)
{
	struct vdev_watchdog *dog = container_of(fn, struct vdev_watchdog, fn);

	if (dog->left)
		arm(dog, dog->left);
	dog->left = 0;
}

static void save(struct vdev_function *fn, struct state *s)
{
	const struct vdev_watchdog *dog = container_of(fn, struct vdev_watchdog, fn);

	state_put(s, "stage", dog->stage);
	state_put(s, "left", dog->left);
	state_put(s, "keys", dog->keys);
	state_put(s, "preload1", dog->preload[0]);
	state_put(s, "preload2", dog->preload[1]);
	state_put(s, "active", dog->active);
	state_put(s, "timed_out", dog->timed_out);
}

static int load(struct vdev_function *fn, struct state *s)
{
	struct vdev_watchdog *dog = container_of(fn, struct vdev_watchdog, fn);
	uint64_t longest = (UINT64_C(1) << 20) * PCI_CLOCK_NS << 15;

	stop(dog);
	dog->stage = (unsigned)state_take(s, "stage", 2);
	dog->left = state_take(s, "left", longest);
	dog->keys = (unsigned)state_take(s, "keys", 2);
	dog->preload[0] = (uint32_t)state_take(s, "preload1", PRELOAD_MASK);
	dog->preload[1] = (uint32_t)state_take(s, "preload2", PRELOAD_MASK);
	dog->active = state_take(s, "active", 1);
	dog->timed_out = state_take(s, "timed_out", 1);
	return state_error(s);
}

static const struct vdev_function_ops watchdog_ops = {
	.config_read = config_read,
	.config_write = config_write,
	.bar_map = bar_map,
	.bar_unmap = bar_unmap,
	.intx_eoi = intx_eoi,
	.reset = reset,
	.destroy = destroy,
	.quiesce = quiesce,
	.resume = resume,
	.save = save,
	.load = load,
};

/* ---- its life ---- */

int vdev_watchdog_create(struct hv_vm *vm, struct loop *loop, enum vdev_watchdog_action action,
			 struct vdev_watchdog **out)
{
	struct vdev_watchdog *dog = calloc(1, sizeof(*dog));
	int err;

	if (!dog)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for its watchdog");
	dog->fn.name = "watchdog";
	dog->fn.ops = &watchdog_ops;
	dog->vm = vm;
	dog->action = action;
	dog->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = dog->timer < 0 ? -errno
			     : loop_add(loop, dog->timer, EPOLLIN, timer_event, dog, &dog->source);
	if (err < 0) {
		vdev_watchdog_destroy(dog);
		return log_fail(err, hv_vm_name(vm), "no timer for its watchdog: %s",
				strerror(-err));
	}
	reset(&dog->fn);
	*out = dog;
	return 0;
}

void vdev_watchdog_destroy(struct vdev_watchdog *dog)
{
	if (!dog)
		return;
	if (dog->fn.bar[0].gpa)
		hv_bus_remove(dog->vm, dog->region);
	loop_remove(dog->source);
	io_close(&dog->timer);
	free(dog);
}

struct vdev_function *vdev_watchdog_function(struct vdev_watchdog *dog)
{
	return &dog->fn;
}
