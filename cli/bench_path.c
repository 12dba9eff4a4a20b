/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_path: see bench_path.h. */
#include "cli/bench_path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/program.h"
#include "cli/vm_dir.h"

#define READY_S	   180
#define WIRE_TRIES 300 /* tenths of a second */
#define ARGS	   48
#define PORT	   "sluice-bench"

const struct bench_kind bench_kinds[] = {
	{"emulated", "emulated 82574 (e1000e)", ",model=e1000e", BENCH_TAP, false, NULL},
	{"tap", "virtio-net, frames moved by the VMM", ",backend=user", BENCH_TAP, false, NULL},
	{"vhost", "virtio-net, frames moved by the kernel (vhost-net)", ",backend=vhost", BENCH_TAP,
	 false, NULL},
	{"switch", "virtio-net on sluice-switch (vhost-user)", NULL, BENCH_SWITCH, false, NULL},
	{"vf", "VF passed through", NULL, BENCH_VF, false, NULL},
	{"native", "VF used by the host itself", NULL, BENCH_NATIVE, false, NULL},
	{"qemu-emulated", "QEMU, its e1000e", NULL, BENCH_TAP, true, "e1000e"},
	{"qemu-tap", "QEMU, virtio-net", NULL, BENCH_TAP, true, "virtio-net-pci"},
	{0},
};

struct in_addr bench_path_address(const struct bench_path *path, unsigned host)
{
	return (struct in_addr){.s_addr = htonl(198u << 24 | 18u << 16 | path->subnet << 8 | host)};
}

static int why(struct bench_path *path, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int why(struct bench_path *path, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(path->why, sizeof(path->why), fmt, args);
	va_end(args);
	return err;
}

/* ---- other programs ---- */

/* Runs a program to its end, without its output. */
static int run(const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	extern char **environ;
	pid_t pid;
	int status = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	int err = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		return -err;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static const char *self(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	path[n > 0 ? n : 0] = '\0';
	return path;
}

static int address_wire(struct bench_path *path)
{
	char address[INET_ADDRSTRLEN + 4];
	struct in_addr own = bench_path_address(path, 1);

	inet_ntop(AF_INET, &own, address, INET_ADDRSTRLEN);
	strcat(address, "/24");
	for (unsigned i = 0; i < WIRE_TRIES; i++) {
		if (!RUN("ip", "addr", "add", address, "dev", path->wire)) {
			path->addressed = true;
			RUN("ip", "link", "set", path->wire, "up");
			return 0;
		}
		poll(NULL, 0, 100);
	}
	return why(path, -ENODEV, "%s got no address %s", path->wire, address);
}

/* ---- what there is ---- */

static bool find_pf(struct cli *cli, const struct bench_settings *settings, struct bench_path *path)
{
	char dir[128];

	if (!settings->pf) {
		why(path, 0, "no PF was named: pass --pf");
		return false;
	}
	const struct sysfs *fs = cli_sysfs(cli);
	snprintf(dir, sizeof(dir), "class/net/%.32s/device/virtfn%u", settings->pf,
		 path->kind->end == BENCH_VF ? 0u : 1u);
	if (!fs || !sysfs_exists(fs, "%s", dir)) {
		why(path, 0, "%.32s has too few VFs: sluice vf create %.32s --count 2",
		    settings->pf, settings->pf);
		return false;
	}
	snprintf(path->wire, sizeof(path->wire), "%.31s", settings->pf);
	return true;
}

/* The interface of the PF's second VF. */
static bool find_native(const struct bench_settings *settings, struct bench_path *path)
{
	char pattern[128];

	snprintf(pattern, sizeof(pattern), "/sys/class/net/%.32s/device/virtfn1/net/*",
		 settings->pf);
	for (unsigned i = 0; i < 10; i++) {
		glob_t found = {0};
		bool there = !glob(pattern, 0, NULL, &found);

		if (there)
			snprintf(path->dev, sizeof(path->dev), "%.31s",
				 strrchr(found.gl_pathv[0], '/') + 1);
		globfree(&found);
		if (there)
			return true;
		poll(NULL, 0, 100);
	}
	why(path, 0, "%.32s/1 has no network driver on this host", settings->pf);
	return false;
}

bool bench_path_available(struct cli *cli, const struct bench_settings *settings,
			  struct bench_path *path)
{
	const struct bench_kind *kind = path->kind;

	if (kind->qemu && !settings->qemu)
		why(path, 0, "QEMU is not installed");
	else if (kind->end != BENCH_NATIVE && access("/dev/kvm", R_OK | W_OK) < 0)
		why(path, 0, "/dev/kvm cannot be opened: %s", strerror(errno));
	else if (kind->end == BENCH_TAP && access("/dev/net/tun", R_OK | W_OK) < 0)
		why(path, 0, "/dev/net/tun cannot be opened: %s; modprobe tun", strerror(errno));
	else if (!strcmp(kind->name, "vhost") && access("/dev/vhost-net", R_OK | W_OK) < 0)
		why(path, 0, "/dev/vhost-net cannot be opened: %s; modprobe vhost_net",
		    strerror(errno));
	else if (kind->end == BENCH_VF)
		return find_pf(cli, settings, path);
	else if (kind->end == BENCH_NATIVE)
		return find_pf(cli, settings, path) && find_native(settings, path);
	else
		return true;
	return false;
}

/* ---- setting up ---- */

static int start_switch(struct cli *cli, struct bench_path *path, char socket[CLI_PATH])
{
	char program[PATH_MAX], to[CLI_PATH + 16];
	const char *sluice = self(program);

	cli_run_path(cli, socket, "bench-port.sock");
	snprintf(to, sizeof(to), "vhost:%s", socket);
	snprintf(path->wire, sizeof(path->wire), "bench-sw");
	if (RUN(sluice, "switch", "show")) {
		if (RUN(sluice, "switch", "start", "--memory", "64M", "--buffers", "4096"))
			return why(path, -EIO,
				   "the switch does not start: see sluice switch start");
		path->switch_started = true;
	}
	path->bridge_made = !RUN(sluice, "switch", "bridge", PORT, "--add");
	path->port_made = path->bridge_made &&
			  !RUN(sluice, "switch", "port", PORT "-host", "--add", "--bridge", PORT,
			       "--to", "tap:bench-sw") &&
			  !RUN(sluice, "switch", "port", PORT "-guest", "--add", "--bridge", PORT,
			       "--to", to);
	return path->port_made ? 0 : why(path, -EIO, "the switch takes no ports for it");
}

static void stop_switch(struct bench_path *path)
{
	char program[PATH_MAX];
	const char *sluice = self(program);

	if (path->bridge_made) {
		RUN(sluice, "switch", "port", PORT "-guest", "--remove");
		RUN(sluice, "switch", "port", PORT "-host", "--remove");
		RUN(sluice, "switch", "bridge", PORT, "--remove");
	}
	if (path->switch_started)
		RUN(sluice, "switch", "stop");
	path->bridge_made = path->port_made = path->switch_started = false;
}

struct words {
	char text[ARGS][PATH_MAX];
	char *argv[ARGS + 1];
	size_t count;
};

static void word(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void word(struct words *w, const char *fmt, ...)
{
	va_list args;

	if (w->count == ARGS)
		return;
	va_start(args, fmt);
	vsnprintf(w->text[w->count], PATH_MAX, fmt, args);
	va_end(args);
	w->argv[w->count] = w->text[w->count];
	w->argv[++w->count] = NULL;
}

static void append(const struct bench_path *path, char *text, size_t size)
{
	struct in_addr guest = bench_path_address(path, 2), peer = bench_path_address(path, 1);
	char a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &guest, a, sizeof(a));
	inet_ntop(AF_INET, &peer, b, sizeof(b));
	snprintf(text, size, "console=ttyS0 quiet panic=-1 work.addr=%s work.peer=%s", a, b);
}

static void words_of_sluice(struct words *w, const struct bench_settings *settings,
			    const struct bench_path *path, const char *socket)
{
	char program[PATH_MAX], arguments[160];

	append(path, arguments, sizeof(arguments));
	word(w, "%s", self(program));
	word(w, "vm");
	word(w, "run");
	word(w, "%s", path->vm);
	word(w, "--kernel=%s", settings->kernel);
	word(w, "--initrd=%s", settings->initrd);
	word(w, "--append=%s", arguments);
	word(w, "--memory=192M");
	if (path->kind->end == BENCH_SWITCH)
		word(w, "--net=vhost-user=%s", socket);
	else if (path->kind->end == BENCH_VF)
		word(w, "--vf=%s/0", path->wire);
	else
		word(w, "--net=tap=%s%s", path->wire, path->kind->net);
}

static void words_of_qemu(struct words *w, const struct bench_settings *settings,
			  const struct bench_path *path)
{
	char arguments[160];

	append(path, arguments, sizeof(arguments));
	word(w, "%s", settings->qemu);
	for (const char *const *at =
		     (const char *const[]){"-machine", "q35", "-accel", "kvm", "-cpu", "host",
					   "-smp", "1", "-m", "192", "-nodefaults",
					   "-no-user-config", "-display", "none", "-serial",
					   "stdio", "-no-reboot", NULL};
	     *at; at++)
		word(w, "%s", *at);
	word(w, "-kernel");
	word(w, "%s", settings->kernel);
	word(w, "-initrd");
	word(w, "%s", settings->initrd);
	word(w, "-append");
	word(w, "%s", arguments);
	word(w, "-netdev");
	word(w, "tap,id=n,ifname=%s,script=no,downscript=no", path->wire);
	word(w, "-device");
	word(w, "%s,netdev=n,romfile=", path->kind->device);
}

static int start_guest(const struct bench_settings *settings, struct bench_path *path,
		       const char *socket)
{
	struct words *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	if (path->kind->end == BENCH_NATIVE) {
		struct in_addr guest = bench_path_address(path, 2);
		struct in_addr peer = bench_path_address(path, 1);
		char a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN];

		inet_ntop(AF_INET, &guest, a, sizeof(a));
		inet_ntop(AF_INET, &peer, b, sizeof(b));
		word(w, "sh");
		word(w, "-c");
		word(w,
		     "ip link set lo up; ip addr add %s/24 dev %s; ip link set %s up; exec %s %s",
		     a, path->dev, path->dev, settings->work, b);
	} else if (path->kind->qemu) {
		words_of_qemu(w, settings, path);
	} else {
		words_of_sluice(w, settings, path, socket);
	}
	err = bench_guest_spawn(&path->guest, w->argv, path->kind->end == BENCH_NATIVE);
	free(w);
	return err;
}

/* The VF's interface goes into the child's namespace; it comes back when that is gone. */
static int hand_over(struct bench_path *path)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)path->guest.pid);
	for (unsigned i = 0; i < 50; i++) {
		if (!RUN("ip", "link", "set", path->dev, "netns", pid)) {
			bench_guest_go(&path->guest);
			return 0;
		}
		poll(NULL, 0, 100);
	}
	return why(path, -EIO, "%s does not go into a network namespace", path->dev);
}

int bench_path_start(struct cli *cli, const struct bench_settings *settings,
		     struct bench_path *path, int stop_fd)
{
	char socket[CLI_PATH] = "";
	int err = 0;

	snprintf(path->vm, sizeof(path->vm), "bench-%.20s", path->kind->name);
	if (path->kind->end == BENCH_TAP)
		snprintf(path->wire, sizeof(path->wire), "bench%u", path->subnet);
	if (path->kind->end == BENCH_TAP && RUN("ip", "tuntap", "add", path->wire, "mode", "tap"))
		return why(path, -EIO, "tap %s cannot be made; run as root", path->wire);
	if (path->kind->end == BENCH_SWITCH)
		err = start_switch(cli, path, socket);
	if (!err)
		err = address_wire(path);
	if (!err)
		err = bench_peer_start(bench_path_address(path, 1), &path->peer);
	if (err && !path->why[0])
		why(path, err, "no peer at its end: %s", strerror(-err));
	if (!err)
		err = start_guest(settings, path, socket);
	if (!err && path->kind->end == BENCH_NATIVE)
		err = hand_over(path);
	if (!err) {
		err = bench_guest_ready(&path->guest, READY_S, stop_fd);
		if (err && err != -EINTR)
			why(path, err, "its guest is not ready (%s): %.90s",
			    err == -ECHILD ? "it ended" : strerror(-err), path->guest.last);
	}
	path->up = !err;
	if (err)
		bench_path_stop(cli, path);
	return err;
}

void bench_path_stop(struct cli *cli, struct bench_path *path)
{
	struct in_addr own = bench_path_address(path, 1);
	char address[INET_ADDRSTRLEN + 4];

	(void)cli;
	bench_guest_stop(&path->guest);
	bench_peer_stop(path->peer);
	path->peer = NULL;
	path->up = false;
	inet_ntop(AF_INET, &own, address, INET_ADDRSTRLEN);
	strcat(address, "/24");
	if (path->kind->end == BENCH_TAP)
		RUN("ip", "tuntap", "del", path->wire, "mode", "tap");
	else if (path->addressed && path->kind->end != BENCH_SWITCH)
		RUN("ip", "addr", "del", address, "dev", path->wire);
	if (path->kind->end == BENCH_SWITCH)
		stop_switch(path);
	path->addressed = false;
}
