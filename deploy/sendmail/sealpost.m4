dnl Sealpost as a milter of Sendmail 8.14 or later: put these lines into sendmail.mc, above the MAILER lines (docs/mta.md).
dnl F=T: while the milter cannot be asked, mail waits with its sender (451) and never leaves unasked.
dnl E: is the time for the end of a message, in which it is made durable; PROGRESS from the milter starts it anew.
INPUT_MAIL_FILTER(`sealpost', `S=inet:8891@127.0.0.1, F=T, T=C:30s;S:1m;R:1m;E:5m')dnl
