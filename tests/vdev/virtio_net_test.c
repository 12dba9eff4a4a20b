/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_net_test: a driver in the same process at one end, and the other end of the tap at the
 * other: a socket that keeps frames apart stands for the tap, and its ioctls are ours.
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/vdev/guest_virtio.h"
#include "vdev/net_ctrl.h"
#include "vdev/virtio_net.h"

#define F(name) VDEV_FEATURE(VIRTIO_NET_F_##name)
#define V1	VDEV_FEATURE(VIRTIO_F_VERSION_1)
#define PAIRS	2u

/* What was asked of the tap. */
static struct {
	unsigned long offload;
	bool attached[64]; /* by descriptor */
	unsigned filter_count, filter_flags;
	uint8_t filter[80][6];
	int header;
} tap;

int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	const struct ifreq *ifr = arg;
	const struct tun_filter *filter = arg;

	switch (request) {
	case TUNSETVNETHDRSZ:
		memcpy(&tap.header, arg, sizeof(int));
		return 0;
	case TUNSETOFFLOAD:
		tap.offload = (unsigned long)arg;
		errno = EINVAL; /* a kernel before 6.2: no USO */
		return tap.offload & 0x60 ? -1 : 0;
	case TUNSETQUEUE:
		if (fd >= 64)
			abort();
		errno = EINVAL;
		if (tap.attached[fd] == !!(ifr->ifr_flags & IFF_ATTACH_QUEUE))
			return -1;
		tap.attached[fd] = ifr->ifr_flags & IFF_ATTACH_QUEUE;
		return 0;
	case TUNSETTXFILTER:
		tap.filter_count = filter->count;
		tap.filter_flags = filter->flags;
		memcpy(tap.filter, filter + 1, 6 * (size_t)filter->count);
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

struct rig {
	struct guest_virtio g;
	struct vdev_net *net;
	int wire[PAIRS], device[PAIRS];
};

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

static int set_up_as(void **state, bool standby)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	memset(&tap, 0, sizeof(tap));
	for (unsigned i = 0; i < PAIRS; i++) {
		int fd[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) < 0)
			abort();
		rig->wire[i] = fd[0];
		rig->device[i] = fd[1];
		tap.attached[fd[1]] = true;
	}
	guest_virtio_init(&rig->g);
	const struct vdev_net_config config = {.name = "net t",
					       .mac = {2, 0, 0, 0, 0, 1},
					       .mtu = 1500,
					       .pairs = PAIRS,
					       .standby = standby,
					       .tap = rig->device};
	if (vdev_net_create(rig->g.vm, rig->g.loop, &config, &rig->net) < 0)
		return -1;
	guest_virtio_attach(&rig->g, vdev_net_function(rig->net));
	*state = rig;
	return 0;
}

static int set_up(void **state)
{
	return set_up_as(state, false);
}

static int set_up_standby(void **state)
{
	return set_up_as(state, true);
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	guest_virtio_finish(&rig->g);
	for (unsigned i = 0; i < PAIRS; i++) {
		close(rig->wire[i]);
		close(rig->device[i]);
	}
	free(rig);
	return 0;
}

static uint8_t *at(struct rig *rig, uint64_t offset)
{
	return hv_mem_ptr(rig->g.vm, GUEST_DATA + offset, 1);
}

/* A frame with its header from the host; `len` without the header. */
static void from_host(struct rig *rig, unsigned pair, size_t len, uint8_t fill)
{
	uint8_t frame[12 + 9000] = {0};

	memset(frame + 12, fill, len);
	assert_int_equal(send(rig->wire[pair], frame, 12 + len, 0), 12 + len);
}

/* Length without header of what the host got next, within two seconds; -1: nothing. */
static ssize_t to_host(struct rig *rig, unsigned pair, uint8_t *frame, size_t size)
{
	ssize_t n = -1;

	for (unsigned i = 0; i < 2000 && n < 0; i++) {
		n = recv(rig->wire[pair], frame, size, 0);
		usleep(n < 0 ? 1000 : 0);
	}
	return n < 0 ? n : n - 12;
}

static void offer_room(struct rig *rig, unsigned queue, unsigned count, uint32_t len)
{
	for (unsigned i = 0; i < count; i++) {
		struct guest_buf buf = {GUEST_DATA + i * UINT64_C(4096), len, true};

		assert_true(guest_ring_add(&rig->g.ring[queue], &buf, 1, false) >= 0);
	}
	guest_kick(&rig->g, queue);
}

static struct vdev_net_stat stat_of(struct rig *rig)
{
	struct vdev_net_stat stat;

	hv_device_lock(rig->g.vm);
	vdev_net_fill_stat(rig->net, &stat);
	hv_device_unlock(rig->g.vm);
	return stat;
}

static void test_identity(void **state)
{
	struct rig *rig = *state;
	uint64_t offered = guest_offered(&rig->g);

	assert_int_equal(guest_config(&rig->g, 0, 4), 0x10411af4);
	assert_int_equal(tap.header, 12);
	assert_int_equal(offered & (F(MAC) | F(MQ) | F(MRG_RXBUF) | F(CTRL_VQ)),
			 F(MAC) | F(MQ) | F(MRG_RXBUF) | F(CTRL_VQ));
	assert_int_equal(offered & (F(CSUM) | F(GUEST_TSO4) | F(HOST_UFO)),
			 F(CSUM) | F(GUEST_TSO4) | F(HOST_UFO));
	assert_int_equal(offered & F(HOST_USO), 0); /* the kernel has none */
	assert_int_equal(offered & F(STANDBY), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + i, 1), mac[i]);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 6, 2), 1);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 8, 2), PAIRS);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 10, 2), 1500);
}

static void test_standby(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(guest_offered(&rig->g) & F(STANDBY), F(STANDBY));
}

static void test_receive(void **state)
{
	struct rig *rig = *state;
	uint32_t written;

	guest_bring_up(&rig->g, V1 | F(MRG_RXBUF), 2);
	assert_true(tap.attached[rig->device[0]]);
	assert_false(tap.attached[rig->device[1]]);
	offer_room(rig, 0, 4, 2048);
	from_host(rig, 0, 100, 0xa5);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(written, 112);
	assert_int_equal(at(rig, 10)[0], 1);
	assert_int_equal(at(rig, 111)[0], 0xa5);
	/* over several buffers */
	from_host(rig, 0, 5000, 0x5a);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(written, 2048);
	assert_int_equal(at(rig, 4096 + 10)[0], 3);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(written, 2048);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(written, 5012 - 2 * 2048);
	assert_int_equal(at(rig, 3 * 4096 + written - 1)[0], 0x5a);
	assert_int_equal(stat_of(rig).received.packets, 2);
	assert_int_equal(stat_of(rig).received.bytes, 5100);
	assert_int_equal(stat_of(rig).received.drops, 0);
}

/* Frames wait for buffers, in order, and none is lost. */
static void test_starved(void **state)
{
	struct rig *rig = *state;
	uint32_t written;

	guest_bring_up(&rig->g, V1 | F(MRG_RXBUF), 2);
	for (uint8_t i = 0; i < 5; i++)
		from_host(rig, 0, 60, i);
	offer_room(rig, 0, 1, 2048);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(at(rig, 12)[0], 0);
	for (uint8_t i = 1; i < 5; i++) {
		offer_room(rig, 0, 1, 2048);
		assert_true(guest_wait(&rig->g, 0, &written) >= 0);
		assert_int_equal(at(rig, 12)[0], i);
	}
	/* half of what a frame needs: nothing is given until the rest is there */
	offer_room(rig, 0, 1, 2048);
	from_host(rig, 0, 3000, 9);
	usleep(20000);
	assert_int_equal(guest_ring_get(&rig->g.ring[0], &written), -1);
	offer_room(rig, 0, 1, 2048);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(written, 3012 - 2048);
}

/* Without merging a frame that does not fit one buffer goes nowhere, and the next one is not hurt.
 */
static void test_too_long(void **state)
{
	struct rig *rig = *state;
	uint32_t written;

	guest_bring_up(&rig->g, V1, 2);
	offer_room(rig, 0, 2, 256);
	from_host(rig, 0, 300, 1);
	from_host(rig, 0, 60, 2);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(written, 72);
	assert_int_equal(at(rig, 12)[0], 2);
	assert_int_equal(stat_of(rig).received.drops, 1);
}

static void send_frame(struct rig *rig, uint32_t header, uint32_t len)
{
	struct guest_buf buf[2] = {{GUEST_DATA, header, false}, {GUEST_DATA + 4096, len, false}};
	uint32_t written;

	assert_true(guest_ring_add(&rig->g.ring[1], buf, len ? 2 : 1, false) >= 0);
	guest_kick(&rig->g, 1);
	assert_true(guest_wait(&rig->g, 1, &written) >= 0);
}

static void test_send(void **state)
{
	struct rig *rig = *state;
	uint8_t frame[2048];

	guest_bring_up(&rig->g, V1 | F(CSUM) | F(HOST_TSO4), 2);
	memset(at(rig, 0), 0, 8192);
	at(rig, 10)[0] = 7; /* num_buffers means nothing here */
	at(rig, 4096)[0] = 0x11;
	send_frame(rig, 12, 1000);
	assert_int_equal(to_host(rig, 0, frame, sizeof(frame)), 1000);
	assert_int_equal(frame[10], 0);
	assert_int_equal(frame[12], 0x11);
	/* header and frame in one part, or the header cut in two */
	send_frame(rig, 100, 0);
	assert_int_equal(to_host(rig, 0, frame, sizeof(frame)), 88);
	send_frame(rig, 5, 100);
	assert_int_equal(to_host(rig, 0, frame, sizeof(frame)), 93);
	/* what is wrong is dropped: no frame, half a header, what was not negotiated */
	send_frame(rig, 12, 0);
	send_frame(rig, 5, 0);
	send_frame(rig, 12, 13);
	at(rig, 1)[0] = VIRTIO_NET_HDR_GSO_TCPV6;
	at(rig, 4)[0] = 100;
	send_frame(rig, 12, 1000);
	at(rig, 1)[0] = VIRTIO_NET_HDR_GSO_TCPV4;
	at(rig, 0)[0] = 1;
	send_frame(rig, 12, 900);
	assert_int_equal(to_host(rig, 0, frame, sizeof(frame)), 900);
	assert_int_equal(stat_of(rig).sent.packets, 4);
	assert_int_equal(stat_of(rig).sent.drops, 4);
}

static uint8_t command(struct rig *rig, unsigned queue, const void *message, uint32_t len)
{
	struct guest_buf buf[2] = {{GUEST_DATA, len, false}, {GUEST_DATA + 4096, 1, true}};
	uint32_t written;

	memcpy(at(rig, 0), message, len);
	at(rig, 4096)[0] = 0xee;
	assert_true(guest_ring_add(&rig->g.ring[queue], buf, 2, false) >= 0);
	guest_kick(&rig->g, queue);
	assert_true(guest_wait(&rig->g, queue, &written) >= 0);
	return at(rig, 4096)[0];
}

#define COMMAND(rig, queue, ...) \
	command(rig, queue, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_control(void **state)
{
	struct rig *rig = *state;

	/* without MQ the control queue is the third */
	guest_bring_up(&rig->g,
		       V1 | F(CTRL_VQ) | F(CTRL_RX) | F(CTRL_MAC_ADDR) | F(GUEST_CSUM) |
			       F(GUEST_TSO4) | F(CTRL_GUEST_OFFLOADS),
		       3);
	assert_int_equal(tap.offload, TUN_F_CSUM | TUN_F_TSO4);
	assert_int_equal(tap.filter_count, 0);
	assert_int_equal(COMMAND(rig, 2, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	assert_int_equal(tap.filter_count, 2); /* its own and all */
	assert_memory_equal(tap.filter[0], mac, 6);
	assert_int_equal(tap.filter[1][0], 0xff);
	assert_int_equal(COMMAND(rig, 2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 2, 7, 7,
				 7, 7, 7),
			 0);
	assert_int_equal(tap.filter[0][1], 7);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 1, 1), 7);
	assert_int_equal(COMMAND(rig, 2, VIRTIO_NET_CTRL_GUEST_OFFLOADS,
				 VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, 2, 0, 0, 0, 0, 0, 0, 0),
			 0);
	assert_int_equal(tap.offload, TUN_F_CSUM);
	assert_int_equal(COMMAND(rig, 2, 99, 99), VIRTIO_NET_ERR);
	/* the driver's reset ends all of it */
	guest_common_set(&rig->g, 0x14, 1, 0);
	assert_int_equal(tap.offload, 0);
	assert_int_equal(tap.filter_count, 0);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 1, 1), 0);
}

static uint32_t net_status(struct rig *rig)
{
	return (uint32_t)fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 6, 2);
}

static void test_pause(void **state)
{
	struct rig *rig = *state;
	struct state *s = state_new();
	uint32_t written;

	guest_bring_up(&rig->g, V1 | F(CTRL_VQ) | F(CTRL_MAC_ADDR) | F(GUEST_ANNOUNCE), 3);
	assert_int_equal(COMMAND(rig, 2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 2, 7, 7,
				 7, 7, 7),
			 0);
	assert_int_equal(net_status(rig), VIRTIO_NET_S_LINK_UP);
	offer_room(rig, 0, 4, 2048);
	hv_device_lock(rig->g.vm);
	assert_int_equal(vdev_host_quiesce(rig->g.host), 0);
	hv_device_unlock(rig->g.vm);
	from_host(rig, 0, 60, 1);
	usleep(20000);
	assert_int_equal(guest_ring_get(&rig->g.ring[0], &written), -1);
	hv_device_lock(rig->g.vm);
	vdev_host_save(rig->g.host, s);
	assert_int_equal(state_error(s), 0);
	assert_int_equal(vdev_host_load(rig->g.host, s), 0);
	vdev_host_resume(rig->g.host);
	hv_device_unlock(rig->g.vm);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 1, 1), 7);
	/* one that was put back tells its network where it is, once */
	assert_int_equal(net_status(rig), VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	assert_int_equal(COMMAND(rig, 2, VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK),
			 0);
	assert_int_equal(net_status(rig), VIRTIO_NET_S_LINK_UP);
	state_free(s);
}

/* A receive buffer without room for a header: the driver has to begin anew, and can. */
static void test_vandal(void **state)
{
	struct rig *rig = *state;
	uint32_t written;

	guest_bring_up(&rig->g, V1 | F(MRG_RXBUF), 2);
	offer_room(rig, 0, 1, 11);
	from_host(rig, 0, 60, 1);
	for (unsigned i = 0; i < 100 && !(guest_common(&rig->g, 0x14, 1) & 0x40); i++)
		guest_spin(&rig->g);
	assert_int_equal(guest_common(&rig->g, 0x14, 1) & 0x40, 0x40);
	guest_bring_up(&rig->g, V1 | F(MRG_RXBUF), 2);
	offer_room(rig, 0, 1, 2048);
	from_host(rig, 0, 60, 2);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(at(rig, 12)[0], 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_identity),
		cmocka_unit_test_setup_teardown(test_standby, set_up_standby, tear_down),
		TEST(test_receive),
		TEST(test_starved),
		TEST(test_too_long),
		TEST(test_send),
		TEST(test_control),
		TEST(test_pause),
		TEST(test_vandal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
