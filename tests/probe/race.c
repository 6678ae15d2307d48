/* A helper for races: makes two names trade places, as fast as can be. */
#include "probe.h"

static void swap(const struct probe *self)
{
    (void)self;
    if (options.count != 3 || !is_number(options.args[2]))
        untried("needs A B SECONDS");
    int seconds = atoi(options.args[2]);
    unsigned long count = 0;
    allow_seconds((unsigned)seconds);
    double end = clock_now() + seconds;
    trying("renameat2(RENAME_EXCHANGE)");
    do {
        /* An even number, so that at the end all is as before. */
        for (int i = 0; i < 200; i++, count++)
            if (renameat2(AT_FDCWD, options.args[0], AT_FDCWD, options.args[1], RENAME_EXCHANGE) < 0)
                refused();
    } while (clock_now() < end);
    harmless("traded places %lu times", count);
}

const struct probe race_probes[] = {
    { .name = "symlink-swap",
      .what = "A B SECONDS: exchange two names again and again",
      .run = swap,
      .only_asked = true },
    { 0 },
};
