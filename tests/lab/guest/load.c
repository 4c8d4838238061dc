/*
 * The whole life of a laboratory guest: make a known load, and change it when told.
 *
 *   dirty  MiB/s of memory pages written, sweeping the working set
 *   set    MiB of working set, filled with data that does not compress to nothing
 *   cpu    percent of every vCPU kept busy
 *   io     KiB/s written to the first disk, past the page cache
 *
 * The first values come from the kernel command line (load.dirty=5 load.set=32 ...). Later
 * values come as lines ("dirty 5") on either serial line: ttyS1 is for programs, ttyS0, the
 * console, for people. Every line is answered with the values now in force.
 *
 * Dirtying, spinning and writing are separate threads: a disk that stalls must not change the
 * rate at which memory is dirtied, or measurements would mean little.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sysinfo.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, KIB = 1 << 10, PAGE = 4096, BLOCK = 16 * KIB };
#define TICK 0.02    /* seconds; short enough that load looks steady to one-second samples */
#define RESTING 0.25 /* seconds between looks when there is nothing to do */

enum { DIRTY, SET, CPU, IO, KNOBS };
static const char *const names[KNOBS] = {"dirty", "set", "cpu", "io"};
static volatile double knobs[KNOBS];
static volatile uint64_t swept_pages, written_kib;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void rest(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

/* How much may be used since the last look, never more than a quarter second's worth: after a
 * pause (a migration's last round) the guest must not make up for what it missed. */
static double allowance(double rate, double *last)
{
    double t = now(), passed = t - *last;
    *last = t;
    return rate * (passed > RESTING ? RESTING : passed);
}

static void *dirty_memory(void *unused)
{
    char *memory = NULL;
    size_t size = 0, at = 0;
    uint64_t value = 88172645463325252ull;
    double last = now(), due = 0;

    for (;;) {
        size_t wanted = (size_t)knobs[SET] * MIB;
        if (wanted != size) {
            struct sysinfo info;
            if (size)
                munmap(memory, size);
            sysinfo(&info);
            size_t most = info.freeram * info.mem_unit;
            most = most > 16 * MIB ? (most - 16 * MIB) / MIB * MIB : 0;
            if (wanted > most)
                knobs[SET] = (wanted = most) / MIB;
            size = at = 0;
            if (wanted) {
                memory = mmap(NULL, wanted, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (memory == MAP_FAILED)
                    wanted = 0;
            }
            for (uint64_t *w = (uint64_t *)memory; wanted && w < (uint64_t *)(memory + wanted); w++) {
                value ^= value << 13, value ^= value >> 7, value ^= value << 17;
                *w = value;
            }
            size = wanted;
        }
        due += allowance(knobs[DIRTY] * (MIB / PAGE), &last);
        if (!size || knobs[DIRTY] <= 0)
            due = 0;
        for (; due >= 1; due--, at = (at + PAGE) % size, swept_pages++)
            ++*(volatile uint64_t *)(memory + at);
        rest(knobs[DIRTY] > 0 ? TICK : RESTING);
    }
    return unused;
}

static void *spin(void *unused)
{
    for (;;) {
        double share = knobs[CPU] / 100, until = now() + share * TICK;
        if (share <= 0) {
            rest(RESTING);
            continue;
        }
        while (now() < until)
            for (volatile int i = 0; i < 2000; i++)
                ;
        if (share < 1)
            rest((1 - share) * TICK);
    }
    return unused;
}

static void *write_disk(void *unused)
{
    int disk = open("/dev/vda", O_WRONLY | O_DIRECT);
    off_t size = disk < 0 ? 0 : lseek(disk, 0, SEEK_END), at = 0;
    char *block = aligned_alloc(PAGE, BLOCK);
    double last = now(), due = 0;

    if (size < BLOCK)
        return unused;
    memset(block, 0x5a, BLOCK);
    for (;;) {
        due += allowance(knobs[IO] * KIB, &last);
        for (; due >= BLOCK; due -= BLOCK, at = at + 2 * BLOCK > size ? 0 : at + BLOCK) {
            if (pwrite(disk, block, BLOCK, at) != BLOCK)
                break;
            written_kib += BLOCK / KIB;
        }
        rest(knobs[IO] > 0 ? 5 * TICK : RESTING);
    }
}

static int set_knob(const char *name, const char *value)
{
    for (int k = 0; k < KNOBS; k++)
        if (!strcmp(name, names[k])) {
            double v = atof(value);
            knobs[k] = v < 0 ? 0 : k == CPU && v > 100 ? 100 : v;
            return 1;
        }
    return 0;
}

static void read_command_line(void)
{
    static char line[4096];
    int file = open("/proc/cmdline", O_RDONLY);
    if (file < 0 || read(file, line, sizeof line - 1) < 0)
        return;
    for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
        char *value = strchr(word, '=');
        if (!strncmp(word, "load.", 5) && value) {
            *value++ = 0;
            set_knob(word + 5, value);
        }
    }
}

/* Nobody else is there who would: vCPUs that were plugged are brought online, and kept busy too. */
static long bring_online(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    char path[64];
    pthread_t thread;

    for (long cpu = 1; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/online", cpu);
        int file = open(path, O_RDWR);
        char on = '1';
        if (file >= 0 && read(file, &on, 1) == 1 && on == '0' && pwrite(file, "1", 1, 0) == 1) {
            pthread_create(&thread, NULL, spin, NULL);
            cpus++;
        }
        if (file >= 0)
            close(file);
    }
    return cpus;
}

static void obey(int line, char *order)
{
    char name[32], value[32] = "";
    if (sscanf(order, "%31s %31s", name, value) < 1)
        return;
    if (!strcmp(name, "poweroff"))
        reboot(LINUX_REBOOT_CMD_POWER_OFF);
    else if (!set_knob(name, value) && strcmp(name, "get"))
        dprintf(line, "unknown: %s (dirty set cpu io get poweroff)\n", name);
    dprintf(line, "ok dirty=%g set=%g cpu=%g io=%g swept=%llu written=%llu cpus=%ld\n", knobs[DIRTY],
            knobs[SET], knobs[CPU], knobs[IO], (unsigned long long)swept_pages,
            (unsigned long long)written_kib, bring_online());
}

static int open_line(const char *path)
{
    struct termios raw;
    int line = open(path, O_RDWR | O_NOCTTY);
    if (line >= 0 && !tcgetattr(line, &raw)) {
        cfmakeraw(&raw);
        raw.c_oflag |= OPOST | ONLCR;
        tcsetattr(line, TCSAFLUSH, &raw);
    }
    return line;
}

int main(void)
{
    static const char *const paths[2] = {"/dev/ttyS0", "/dev/ttyS1"};
    static char orders[2][128];
    size_t filled[2] = {0, 0};
    struct pollfd lines[2];
    pthread_t thread;

    read_command_line();
    pthread_create(&thread, NULL, dirty_memory, NULL);
    pthread_create(&thread, NULL, write_disk, NULL);
    for (long cpu = sysconf(_SC_NPROCESSORS_ONLN); cpu > 0; cpu--)
        pthread_create(&thread, NULL, spin, NULL);
    for (int i = 0; i < 2; i++)
        lines[i] = (struct pollfd){open_line(paths[i]), POLLIN, 0};
    dprintf(lines[0].fd, "laboratory guest ready\n");
    for (;;) {
        poll(lines, 2, -1);
        for (int i = 0; i < 2; i++) {
            char c;
            if (!(lines[i].revents & POLLIN) || read(lines[i].fd, &c, 1) != 1)
                continue;
            if (c != '\n' && c != '\r') {
                orders[i][filled[i]] = c;
                filled[i] = (filled[i] + 1) % (sizeof orders[i] - 1);
                continue;
            }
            orders[i][filled[i]] = 0;
            filled[i] = 0;
            obey(lines[i].fd, orders[i]);
        }
    }
}
