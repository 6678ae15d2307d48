/* A server on every address, at port 8080: says at which address it was reached. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(8080) };
	socklen_t length = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 16)) {
		perror("answer");
		return 1;
	}
	for (;;) {
		int peer = accept(listener, NULL, NULL);
		const char *text = "unknown";
		if (!getsockname(peer, (struct sockaddr *)&at, &length))
			text = inet_ntoa(at.sin_addr);
		if (write(peer, text, strlen(text)) < 0)
			perror("answer");
		close(peer);
	}
}
