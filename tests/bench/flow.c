/* Traffic for tests/bench/spoofing_bench.py: what one connection, one packet and one second cost.
 *
 *   flow serve PORT                     takes TCP connections and UDP datagrams, and throws away what comes
 *   flow connect ADDRESS PORT COUNT     connects COUNT times; the median, microseconds
 *   flow stream ADDRESS PORT SECONDS    one TCP connection; gigabits a second
 *   flow load ADDRESS PORT SECONDS      the same; gigabits for each second of the sender's processor, who does most of the work
 *   flow packets ADDRESS PORT SECONDS   datagrams of one byte; nanoseconds each, all the way to the receiver's socket
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 18];

static void die(const char* what) {
  perror(what);
  exit(1);
}

static double seconds_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now(void) { return seconds_of(CLOCK_MONOTONIC); }

static struct sockaddr_in6 address_of(const char* text, const char* port) {
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)atoi(port))};
  char mapped[64];
  snprintf(mapped, sizeof mapped, "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
  if (inet_pton(AF_INET6, mapped, &address.sin6_addr) != 1) die(text);
  return address;
}

static int made(int type) {
  const int fd = socket(AF_INET6, type, 0), off = 0, on = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return fd;
}

static int serve(const char* port) {
  const struct sockaddr_in6 any = address_of("::", port);
  const int listener = made(SOCK_STREAM), datagrams = made(SOCK_DGRAM);
  signal(SIGCHLD, SIG_IGN);
  if (bind(datagrams, (const struct sockaddr*)&any, sizeof any) || bind(listener, (const struct sockaddr*)&any, sizeof any) ||
      listen(listener, 4096))
    die("serve");
  for (;;) {
    const int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    /* One that connects and resets has sent nothing; a stream has its own process. */
    if (recv(fd, buffer, 1, MSG_PEEK) == 1 && fork() == 0) {
      while (recv(fd, buffer, sizeof buffer, MSG_TRUNC) > 0) {}
      _exit(0);
    }
    close(fd);
  }
}

static int by_size(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static void connects(const struct sockaddr_in6* to, int count) {
  double* micros = calloc((size_t)count, sizeof *micros);
  const struct linger reset = {1, 0};
  for (int i = 0; i < count; ++i) {
    const int fd = made(SOCK_STREAM);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    const double start = now();
    if (connect(fd, (const struct sockaddr*)to, sizeof *to)) die("connect");
    micros[i] = (now() - start) * 1e6;
    close(fd);
  }
  qsort(micros, (size_t)count, sizeof *micros, by_size);
  printf("%.3f\n", micros[count / 2]);
}

static void stream(const struct sockaddr_in6* to, double seconds, clockid_t clock) {
  const int fd = made(SOCK_STREAM);
  if (connect(fd, (const struct sockaddr*)to, sizeof *to)) die("connect");
  const double start = now(), start_of_clock = seconds_of(clock);
  double sent = 0;
  while (now() < start + seconds) {
    const ssize_t part = send(fd, buffer, sizeof buffer, 0);
    if (part < 0) die("send");
    sent += (double)part;
  }
  printf("%.4f\n", sent * 8 / 1e9 / (seconds_of(clock) - start_of_clock));
}

/* The median of short bursts, which mostly end before somebody else gets the processor. */
static void packets(const struct sockaddr_in6* to, double seconds) {
  enum { kBurst = 64, kMost = 1 << 20 };
  double* nanos = malloc(kMost * sizeof *nanos);
  const int fd = made(SOCK_DGRAM);
  int bursts = 0;
  if (nanos == NULL || connect(fd, (const struct sockaddr*)to, sizeof *to)) die("connect");
  for (double before = now(), start = before, after; before < start + seconds && bursts < kMost; before = after) {
    for (int i = 0; i < kBurst; ++i) send(fd, buffer, 1, 0);
    after = now();
    nanos[bursts++] = (after - before) * 1e9 / kBurst;
  }
  qsort(nanos, (size_t)bursts, sizeof *nanos, by_size);
  printf("%.1f\n", nanos[bursts / 2]);
}

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2]);
  if (argc != 5) return fputs("usage: see the top of flow.c\n", stderr), 2;
  const struct sockaddr_in6 to = address_of(argv[2], argv[3]);
  if (strcmp(argv[1], "connect") == 0) connects(&to, atoi(argv[4]));
  else if (strcmp(argv[1], "stream") == 0) stream(&to, atof(argv[4]), CLOCK_MONOTONIC);
  else if (strcmp(argv[1], "load") == 0) stream(&to, atof(argv[4]), CLOCK_PROCESS_CPUTIME_ID);
  else packets(&to, atof(argv[4]));
  return 0;
}
