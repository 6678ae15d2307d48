/* Asks libseccomp, for the tests that compare with it.
 *
 * oracle numbers ARCH    a name and our number a line on standard input; on standard output its
 *                        number, "none" or "unknown"
 * oracle filter ARCH     rules on standard input, a BPF program on standard output
 *
 * A rule is a line "ACTION NAME [ARGUMENT MASK VALUE]...", numbers in hexadecimal; whatever no
 * rule speaks of gets ENOSYS. */
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *about, int error)
{
	fprintf(stderr, "%s %s: %s\n", what, about, strerror(-error));
	exit(1);
}

int main(int argc, char **argv)
{
	char line[512], name[64];
	int error, numbers = argc == 3 && !strcmp(argv[1], "numbers");
	uint32_t arch = argc == 3 ? seccomp_arch_resolve_name(argv[2]) : 0;
	if (!arch)
		fail("usage:", "oracle numbers|filter ARCH", -EINVAL);

	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (arch != seccomp_arch_native()) {
		if ((error = seccomp_arch_add(ctx, arch)))
			fail("arch_add", argv[2], error);
		if ((error = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE)))
			fail("arch_remove", argv[2], error);
	}
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	while (fgets(line, sizeof line, stdin)) {
		if (numbers) {
			int ours, number;
			if (sscanf(line, "%63s %d", name, &ours) != 2)
				fail("numbers", line, -EINVAL);
			number = seccomp_syscall_resolve_name_arch(arch, name);
			/* For i386's socket and IPC calls it has a number of its own, since they can also
			 * be reached through socketcall and ipc. */
			char *back = number < 0 && ours >= 0 ? seccomp_syscall_resolve_num_arch(arch, ours) : NULL;
			if (back && !strcmp(back, name))
				number = ours;
			free(back);
			if (number == __NR_SCMP_ERROR)
				puts("unknown");
			else if (number < 0)
				puts("none");
			else
				printf("%d\n", number);
			continue;
		}
		struct scmp_arg_cmp args[6];
		unsigned action, count = 0;
		int used, more;
		if (sscanf(line, "%x %63s%n", &action, name, &used) != 2)
			fail("rule", line, -EINVAL);
		unsigned index;
		unsigned long long mask, value;
		while (sscanf(line + used, "%x %llx %llx%n", &index, &mask, &value, &more) == 3) {
			args[count++] = SCMP_CMP64(index, SCMP_CMP_MASKED_EQ, mask, value);
			used += more;
		}
		int number = seccomp_syscall_resolve_name(name);
		if (number == __NR_SCMP_ERROR)
			fail("resolve", name, -ENOENT);
		error = seccomp_rule_add_exact_array(ctx, action, number, count, args);
		if (error)
			fail("rule_add", line, error);
	}
	if (!numbers && (error = seccomp_export_bpf(ctx, 1)))
		fail("export", argv[2], error);
	return 0;
}
