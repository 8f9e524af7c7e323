"""The questions of T. Gebru et al., "Datasheets for Datasets" (2021), each by a short name.

The names are what `replicate.reporting.datasheet` answers by; the order is the paper's.
"""

SECTIONS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Motivation",
        (
            ("purpose", "For what purpose was the dataset created?"),
            (
                "creators",
                "Who created the dataset (for example, which team, research group) and on behalf "
                "of which entity (for example, company, institution, organization)?",
            ),
            ("funding", "Who funded the creation of the dataset?"),
            ("motivation_other", "Any other comments?"),
        ),
    ),
    (
        "Composition",
        (
            ("instances", "What do the instances that comprise the dataset represent?"),
            ("count", "How many instances are there in total (of each type, if appropriate)?"),
            (
                "sample",
                "Does the dataset contain all possible instances or is it a sample of instances "
                "from a larger set?",
            ),
            ("data", "What data does each instance consist of?"),
            ("labels", "Is there a label or target associated with each instance?"),
            ("missing", "Is any information missing from individual instances?"),
            (
                "relations",
                "Are relationships between individual instances made explicit?",
            ),
            ("splits", "Are there recommended data splits?"),
            (
                "errors",
                "Are there any errors, sources of noise, or redundancies in the dataset?",
            ),
            (
                "self_contained",
                "Is the dataset self-contained, or does it link to or otherwise rely on external "
                "resources?",
            ),
            (
                "confidential",
                "Does the dataset contain data that might be considered confidential?",
            ),
            (
                "offensive",
                "Does the dataset contain data that, if viewed directly, might be offensive, "
                "insulting, threatening, or might otherwise cause anxiety?",
            ),
            (
                "subpopulations",
                "Does the dataset identify any subpopulations (for example, by age, gender)?",
            ),
            (
                "identifiable",
                "Is it possible to identify individuals, either directly or indirectly, from the "
                "dataset?",
            ),
            (
                "sensitive",
                "Does the dataset contain data that might be considered sensitive in any way?",
            ),
            ("composition_other", "Any other comments?"),
        ),
    ),
    (
        "Collection process",
        (
            ("acquired", "How was the data associated with each instance acquired?"),
            (
                "mechanisms",
                "What mechanisms or procedures were used to collect the data, and how were they "
                "validated?",
            ),
            (
                "strategy",
                "If the dataset is a sample from a larger set, what was the sampling strategy?",
            ),
            (
                "people",
                "Who was involved in the data collection process and how were they compensated?",
            ),
            ("timeframe", "Over what timeframe was the data collected?"),
            (
                "review",
                "Were any ethical review processes conducted (for example, by an institutional "
                "review board)?",
            ),
            (
                "third_parties",
                "Did you collect the data from the individuals in question directly, or obtain it "
                "via third parties or other sources?",
            ),
            ("notified", "Were the individuals in question notified about the data collection?"),
            (
                "consent",
                "Did the individuals in question consent to the collection and use of their data?",
            ),
            (
                "revoke",
                "If consent was obtained, were the consenting individuals provided with a "
                "mechanism to revoke their consent in the future or for certain uses?",
            ),
            (
                "impact",
                "Has an analysis of the potential impact of the dataset and its use on data "
                "subjects been conducted?",
            ),
            ("collection_other", "Any other comments?"),
        ),
    ),
    (
        "Preprocessing, cleaning, labeling",
        (
            ("preprocessing", "Was any preprocessing/cleaning/labeling of the data done?"),
            (
                "raw",
                "Was the “raw” data saved in addition to the preprocessed/cleaned/labeled data?",
            ),
            (
                "software",
                "Is the software that was used to preprocess/clean/label the data available?",
            ),
            ("preprocessing_other", "Any other comments?"),
        ),
    ),
    (
        "Uses",
        (
            ("used", "Has the dataset been used for any tasks already?"),
            (
                "repository",
                "Is there a repository that links to any or all papers or systems that use the "
                "dataset?",
            ),
            ("other_tasks", "What (other) tasks could the dataset be used for?"),
            (
                "future",
                "Is there anything about the composition of the dataset or the way it was "
                "collected and preprocessed/cleaned/labeled that might impact future uses?",
            ),
            ("not_for", "Are there tasks for which the dataset should not be used?"),
            ("uses_other", "Any other comments?"),
        ),
    ),
    (
        "Distribution",
        (
            (
                "distributed",
                "Will the dataset be distributed to third parties outside of the entity on behalf "
                "of which the dataset was created?",
            ),
            ("how", "How will the dataset be distributed?"),
            ("when", "When will the dataset be distributed?"),
            (
                "licence",
                "Will the dataset be distributed under a copyright or other intellectual property "
                "license, and/or under applicable terms of use?",
            ),
            (
                "restrictions",
                "Have any third parties imposed IP-based or other restrictions on the data "
                "associated with the instances?",
            ),
            (
                "export_controls",
                "Do any export controls or other regulatory restrictions apply to the dataset or "
                "to individual instances?",
            ),
            ("distribution_other", "Any other comments?"),
        ),
    ),
    (
        "Maintenance",
        (
            ("maintainer", "Who will be supporting/hosting/maintaining the dataset?"),
            (
                "contact",
                "How can the owner/curator/manager of the dataset be contacted (for example, "
                "email address)?",
            ),
            ("erratum", "Is there an erratum?"),
            (
                "updates",
                "Will the dataset be updated (for example, to correct labeling errors, add new "
                "instances, delete instances)?",
            ),
            (
                "retention",
                "If the dataset relates to people, are there applicable limits on the retention "
                "of the data associated with the instances?",
            ),
            ("old_versions", "Will older versions of the dataset continue to be supported?"),
            (
                "contributions",
                "If others want to extend/augment/build on/contribute to the dataset, is there a "
                "mechanism for them to do so?",
            ),
            ("maintenance_other", "Any other comments?"),
        ),
    ),
)
