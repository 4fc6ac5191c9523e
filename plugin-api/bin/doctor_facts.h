// Facts for the doctor that come from the core, the daemon and the kernel's interfaces.
#pragma once

#include "base/json/json.h"
#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/doctor/facts.h"

namespace fairlead {

void read_network_facts(Core& core, doctor::Facts& facts);
void read_volume_facts(Core& core, const Config& config, doctor::Facts& facts);
// The kinds of links that this kernel cannot make.
void read_kernel_features(doctor::Facts& facts);
// Of the document of GET /v1/cluster.
void read_cluster_facts(const json::Json& document, doctor::EtcdFacts& etcd);

}  // namespace fairlead
