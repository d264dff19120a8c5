"""Reports: questions to the marts, each described once; pages, files, mails and the API are made from that."""
