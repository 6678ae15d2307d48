#include <math.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	(void)argv;
	printf("the square root of two is %.3f\n", sqrt(argc + 1.0));
	return 0;
}
