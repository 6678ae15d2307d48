/* The program that every contender runs: little more than the least that a static C program can do.
 *
 * With "say" it writes a line, by which the benchmark sees that it was really run; with "wait" it
 * waits for ever, for jails to enter.
 */
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "say") == 0)
        return write(1, "here\n", 5) != 5;
    while (argc > 1 && strcmp(argv[1], "wait") == 0)
        pause();
    return 0;
}
