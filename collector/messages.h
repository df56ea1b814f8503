/*
 * What kind of entry of the journal it is: MESSAGE_ID= of sd_journal_send(3). They never change;
 * each has its text in systemd/cassandra-prober.catalog, which journalctl -x shows.
 */
#ifndef MESSAGES_H
#define MESSAGES_H

#define MESSAGE_NODE_READY         "5b828638421940ec935d7f48b7b7e75e"
#define MESSAGE_NODE_NOT_READY     "dffde358db794756b043f93b94732ad4"
#define MESSAGE_MANY_DECISIONS     "470f30530187462faac65086f451a916"
#define MESSAGE_OPINION_COUNTS     "24c8fb2a0aaf4957bd51d6d173860a66"
#define MESSAGE_OPINION_COUNTS_NOT "52fb37dc73724b0787d1550b93cbfe62"
#define MESSAGE_NODE_LEFT          "2ef32c0af97e479393ade0e04822173e"
#define MESSAGE_NODE_DRAINED       "d47501bd1c0f4295a06eef8ef3127852"
#define MESSAGE_NODE_UNDRAINED     "f22d60a0a60747699be52339ccfa845d"
#define MESSAGE_VALUE_SET          "c6cc12c548314108915562dd13c0027e"
#define MESSAGE_SEEDS_CHOSEN       "07499868628949f8806e63b62ab74356"
#define MESSAGE_SUSPENDED          "7b1f5c1e2fd94a0fb5a2c1d5b0b9f3e6"
#define MESSAGE_RESUMED            "9f0d43a7c8f64d39a1f7e6c2054db81a"
#define MESSAGE_NODE_REPAIRED      "c4a6b9d2e18047f3b0d7a5163fe28c95"
#define MESSAGE_REPAIR_NEEDED      "1d8e7f60b3a24c5d96e4f2a8c7510b3d"
#define MESSAGE_CANNOT_PUBLISH     "d0218ca3d16e40d68d894c26812acc92"
#define MESSAGE_PUBLISHES_AGAIN    "5bd73b41532e4e19b9c4b4c2b281f595"

#endif
