// Times netavark, or a program in its place, as Podman calls it: exec to exit, one process for each container.
//
//   netavark_timer VERB FIRST COUNT FOLDER PROGRAM [ARGUMENT...]
//
// Runs PROGRAM ARGUMENT... VERB /run/netns/bench-<n> with FOLDER/<n>.json on stdin for n from FIRST on, and prints the
// microseconds of each, one a line. VERB "cycle" is setup and teardown, and prints both in one line.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void die(const char *what) {
  fprintf(stderr, "netavark_timer: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static long run(const char *verb, int number, const char *folder, char **program, int words) {
  char document[256], netns[64], *argv[32];
  snprintf(document, sizeof document, "%s/%d.json", folder, number);
  snprintf(netns, sizeof netns, "/run/netns/bench-%d", number);
  if (words > 28) die("too many arguments");
  for (int i = 0; i < words; ++i) argv[i] = program[i];
  argv[words] = (char *)verb;
  argv[words + 1] = netns;
  argv[words + 2] = NULL;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, document, O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/run/host/timer.out", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const long start = now();
  pid_t pid;
  errno = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
  if (errno != 0) die(argv[0]);
  int status;
  if (waitpid(pid, &status, 0) != pid) die("wait");
  const long took = now() - start;
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0) {
    fprintf(stderr, "netavark_timer: %s of %d failed; see /run/host/timer.out\n", verb, number);
    exit(1);
  }
  return took;
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  const int first = atoi(argv[2]), count = atoi(argv[3]);
  for (int number = first; number < first + count; ++number) {
    if (strcmp(argv[1], "cycle") != 0) {
      printf("%ld\n", run(argv[1], number, argv[4], argv + 5, argc - 5));
      continue;
    }
    const long setup = run("setup", number, argv[4], argv + 5, argc - 5);
    printf("%ld %ld\n", setup, run("teardown", number, argv[4], argv + 5, argc - 5));
  }
  return 0;
}
