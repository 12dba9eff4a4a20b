/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * work: all of a bench guest's user land: it loads modules, brings its NIC up, and does the flows
 * that it is told over its serial line.
 *
 *     kernel arguments   work.addr=A.B.C.D   its address, /24      work.peer=A.B.C.D   the peer's
 *     a line in          ID COMMAND          see bench_flow_run; "quit" turns the machine off
 *     a line out         WORK: ID {…}        the result, or {"error": "…"}
 *
 * As `sluice-work PEER` on a host it does the same with its own standard input and output: that is
 * how a VF is measured without a guest.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

#define LINK_WAIT 300 /* tenths of a second */

static void rest(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* ---- a machine's first steps ---- */

static void mount_all(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
}

/* /modules/order names them, one a line, what is needed first. */
static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "re");
	char name[128], path[160];

	while (order && fgets(name, sizeof(name), order)) {
		name[strcspn(name, "\n")] = '\0';
		snprintf(path, sizeof(path), "/modules/%s", name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		int flags = strstr(name, ".ko.") ? MODULE_INIT_COMPRESSED_FILE : 0;

		if (fd < 0 || (syscall(SYS_finit_module, fd, "", flags) < 0 && errno != EEXIST))
			printf("WORK: - {\"error\":\"module %s: %s\"}\n", name, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (order)
		fclose(order);
}

static bool argument(const char *key, char *value, size_t size)
{
	char line[2048] = "";
	FILE *in = fopen("/proc/cmdline", "re");
	char *at = in ? fgets(line, sizeof(line), in) : NULL;

	if (in)
		fclose(in);
	at = at ? strstr(at, key) : NULL;
	if (at)
		snprintf(value, size, "%.*s", (int)strcspn(at + strlen(key), " \n"),
			 at + strlen(key));
	return at;
}

/* The first interface that has a device behind it. */
static bool find_nic(char name[IFNAMSIZ])
{
	DIR *dir = opendir("/sys/class/net");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		char path[320];

		snprintf(path, sizeof(path), "/sys/class/net/%s/device", entry->d_name);
		found = entry->d_name[0] != '.' && !access(path, F_OK) &&
			strlen(entry->d_name) < IFNAMSIZ;
		if (found)
			memcpy(name, entry->d_name, strlen(entry->d_name) + 1);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void set_address(int fd, struct ifreq *request, unsigned long op, const char *text)
{
	struct sockaddr_in at = {.sin_family = AF_INET};

	inet_pton(AF_INET, text, &at.sin_addr);
	memcpy(&request->ifr_addr, &at, sizeof(at));
	ioctl(fd, op, request);
}

static bool raise_nic(const char *address)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool running = false;

	for (int i = 0; i < LINK_WAIT && !find_nic(request.ifr_name); i++)
		rest(100);
	set_address(fd, &request, SIOCSIFADDR, address);
	set_address(fd, &request, SIOCSIFNETMASK, "255.255.255.0");
	request.ifr_flags = IFF_UP;
	ioctl(fd, SIOCSIFFLAGS, &request);
	for (int i = 0; i < LINK_WAIT && !running; i++) {
		running = !ioctl(fd, SIOCGIFFLAGS, &request) && (request.ifr_flags & IFF_RUNNING);
		if (!running)
			rest(100);
	}
	close(fd);
	return running;
}

/* What is typed comes as it is, and is not echoed. */
static void calm_line(void)
{
	struct termios t;

	if (tcgetattr(0, &t))
		return;
	t.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	t.c_oflag &= ~(tcflag_t)OPOST;
	tcsetattr(0, TCSANOW, &t);
}

static bool set_up(char *peer, size_t size)
{
	char address[INET_ADDRSTRLEN];

	mount_all();
	int console = open("/dev/ttyS0", O_RDWR);
	if (console >= 0) {
		dup2(console, 0);
		dup2(console, 1);
		dup2(console, 2);
	}
	calm_line();
	setvbuf(stdout, NULL, _IOLBF, 0);
	load_modules();
	return argument("work.addr=", address, sizeof(address)) &&
	       argument("work.peer=", peer, size) && raise_nic(address);
}

/* ---- work ---- */

static void obey(struct in_addr peer, const char *line)
{
	const char *command = strchr(line, ' ');
	char result[BENCH_RESULT];
	int err = command ? bench_flow_run(peer, command + 1, result) : -EINVAL;

	if (err < 0)
		snprintf(result, sizeof(result), "{\"error\":\"%s\"}", strerror(-err));
	printf("WORK: %.*s %s\n", (int)strcspn(line, " "), line, result);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[256], text[INET_ADDRSTRLEN] = "";
	bool machine = getpid() == 1, ready = true;
	struct in_addr peer = {0};

	if (machine)
		ready = set_up(text, sizeof(text));
	else if (argc == 2)
		snprintf(text, sizeof(text), "%s", argv[1]);
	if (inet_pton(AF_INET, text, &peer) != 1 || !ready)
		printf("WORK: - {\"error\":\"no link, or no peer\"}\n");
	else
		printf("WORK: ready {}\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!strcmp(line, "quit"))
			break;
		if (line[0])
			obey(peer, line);
	}
	if (machine) {
		sync();
		reboot(RB_POWER_OFF);
	}
	return 0;
}
